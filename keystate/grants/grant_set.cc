#include "keystate/grants/grant_set.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace hallmark {
namespace {

using Bits = GrantOperations::Bits;

// The constraint of a grant is not applied to it.
constexpr Bits kUnconstrained = GrantOperations::BitOf(Operation::kRetireGrant);

bool HasAll(Bits bits, Bits wanted) { return (bits & wanted) == wanted; }

// What makes a repeat of a CreateGrant.
auto Parameters(const GrantRecord& grant) {
  return std::tie(grant.name, grant.grantee_id, grant.retiring_id, grant.source_arn,
                  grant.issuing_account);
}

}  // namespace

bool AreAlike(const GrantRecord& a, const GrantRecord& b) {
  return Parameters(a) == Parameters(b) && a.operations.bits() == b.operations.bits();
}

bool Covers(const GrantRecord& grant, const GrantDemand& demand) {
  if (demand.operations == 0 || !HasAll(grant.operations.bits(), demand.operations)) return false;
  return grant.source_arn.empty() || grant.source_arn == demand.source_arn ||
         HasAll(kUnconstrained, demand.operations);
}

bool GrantSet::GranteeLess::operator()(const GrantPtr& a, const GrantPtr& b) const {
  return std::tie(a->grantee_id, a->id) < std::tie(b->grantee_id, b->id);
}

bool GrantSet::GranteeLess::operator()(const GrantPtr& a, const GranteePlace& b) const {
  const int order = std::string_view(a->grantee_id).compare(b.grantee_id);
  if (order != 0) return order < 0;
  return b.id != nullptr && a->id < *b.id;
}

bool GrantSet::ParameterLess::operator()(const GrantPtr& a, const GrantPtr& b) const {
  const Bits bits_a = a->operations.bits();
  const Bits bits_b = b->operations.bits();
  return std::tuple_cat(Parameters(*a), std::tie(bits_a, a->id)) <
         std::tuple_cat(Parameters(*b), std::tie(bits_b, b->id));
}

bool GrantSet::ParameterLess::operator()(const GrantPtr& a, const GrantRecord& b) const {
  const Bits bits_a = a->operations.bits();
  const Bits bits_b = b.operations.bits();
  return std::tuple_cat(Parameters(*a), std::tie(bits_a)) <
         std::tuple_cat(Parameters(b), std::tie(bits_b));
}

GrantSet::Allowed GrantSet::Allowed::Of(const GrantPtr& grant) {
  const Bits all = grant->operations.bits();
  if (grant->source_arn.empty()) return {all, all};
  return {static_cast<Bits>(all & kUnconstrained), all};
}

GrantSet GrantSet::Of(std::vector<GrantRecord> grants) {
  if (grants.empty()) return {};
  std::vector<GrantPtr> sorted;
  sorted.reserve(grants.size());
  for (GrantRecord& grant : grants) {
    sorted.push_back(std::make_shared<const GrantRecord>(std::move(grant)));
  }
  Indexes indexes;
  indexes.size = sorted.size();
  std::sort(sorted.begin(), sorted.end(), IdLess{});
  indexes.by_id = ById::FromSorted(sorted);
  std::sort(sorted.begin(), sorted.end(), GranteeLess{});
  indexes.by_grantee = ByGrantee::FromSorted(sorted);
  std::erase_if(sorted, [](const GrantPtr& grant) { return grant->name.empty(); });
  std::sort(sorted.begin(), sorted.end(), ParameterLess{});
  indexes.by_parameters = ByParameters::FromSorted(sorted);
  return GrantSet(std::make_shared<const Indexes>(std::move(indexes)));
}

GrantSet GrantSet::With(GrantRecord grant) const {
  const GrantSet others = Without(grant.id);
  Indexes next = others.indexes_ == nullptr ? Indexes() : *others.indexes_;
  const auto added = std::make_shared<const GrantRecord>(std::move(grant));
  next.by_id = next.by_id.Insert(added);
  next.by_grantee = next.by_grantee.Insert(added);
  if (!added->name.empty()) next.by_parameters = next.by_parameters.Insert(added);
  ++next.size;
  return GrantSet(std::make_shared<const Indexes>(std::move(next)));
}

GrantSet GrantSet::Without(const GrantId& id) const {
  const GrantPtr gone = Find(id);
  if (gone == nullptr) return *this;
  if (size() == 1) return {};
  Indexes next = *indexes_;
  next.by_id = next.by_id.Erase(gone);
  next.by_grantee = next.by_grantee.Erase(gone);
  next.by_parameters = next.by_parameters.Erase(gone);
  --next.size;
  return GrantSet(std::make_shared<const Indexes>(std::move(next)));
}

GrantPtr GrantSet::Find(const GrantId& id) const {
  if (empty()) return nullptr;
  const GrantPtr* found = indexes_->by_id.Find(id);
  return found == nullptr ? nullptr : *found;
}

const GrantRecord* GrantSet::FindTo(std::string_view grantee_id, const GrantDemand& demand) const {
  if (grantee_id.empty()) return nullptr;
  const GrantRecord* found = nullptr;
  const auto look = [&](Bits Allowed::*where) {
    indexes_->by_grantee.VisitFrom(
        GranteePlace{grantee_id, nullptr},
        [&](const Allowed& allowed) { return HasAll(allowed.*where, demand.operations); },
        [&](const GrantPtr& grant) {
          if (grant->grantee_id != grantee_id) return false;
          if (Covers(*grant, demand)) found = grant.get();
          return found == nullptr;
        });
  };
  look(&Allowed::always);
  if (found == nullptr && !demand.source_arn.empty()) look(&Allowed::with_source);
  return found;
}

std::optional<CoveringGrant> GrantSet::FindCovering(const GrantCaller& caller,
                                                    const GrantDemand& demand) const {
  // No operation at all is what an operation becomes that no grant can allow.
  if (empty() || demand.operations == 0) return std::nullopt;
  // The caller's own grants first: they give a session more than those of its role.
  if (const GrantRecord* own = FindTo(caller.unique_id, demand)) {
    return CoveringGrant{own, caller.is_session};
  }
  if (const GrantRecord* of_role = FindTo(caller.role_id, demand)) {
    return CoveringGrant{of_role, false};
  }
  if (!caller.is_root) return std::nullopt;
  if (const GrantRecord* of_account = FindTo(caller.account.text(), demand)) {
    return CoveringGrant{of_account, false};
  }
  return std::nullopt;
}

GrantPtr GrantSet::FindRepeated(const GrantRecord& wanted) const {
  if (empty() || wanted.name.empty()) return nullptr;
  GrantPtr found;
  indexes_->by_parameters.VisitFrom(wanted, [&](const GrantPtr& grant) {
    if (AreAlike(*grant, wanted)) found = grant;
    return false;
  });
  return found;
}

std::vector<GrantPtr> GrantSet::List(const std::optional<GrantId>& after, std::size_t limit) const {
  std::vector<GrantPtr> page;
  if (empty() || limit == 0) return page;
  const auto take = [&](const GrantPtr& grant) {
    if (!after || *after < grant->id) page.push_back(grant);
    return page.size() < limit;
  };
  if (after) {
    indexes_->by_id.VisitFrom(*after, take);
  } else {
    indexes_->by_id.VisitAll(take);
  }
  return page;
}

std::vector<GrantPtr> GrantSet::ListTo(std::string_view grantee_id,
                                       const std::optional<GrantId>& after,
                                       std::size_t limit) const {
  std::vector<GrantPtr> page;
  if (empty() || limit == 0) return page;
  indexes_->by_grantee.VisitFrom(GranteePlace{grantee_id, after ? &*after : nullptr},
                                 [&](const GrantPtr& grant) {
                                   if (grant->grantee_id != grantee_id) return false;
                                   if (!after || *after < grant->id) page.push_back(grant);
                                   return page.size() < limit;
                                 });
  return page;
}

}  // namespace hallmark
