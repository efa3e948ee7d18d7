#include "service/app/access.h"

#include "keystate/grants/grant_rules.h"

#include <limits>
#include <optional>

namespace hallmark::app {
namespace {

// Grants looked at under one turn; any number does.
constexpr std::size_t kGrantsAtOnce = 64;

GrantMatch MatchOf(const GrantRecord& grant, bool to_session) {
  return {.grant_id = grant.id.text(),
          .to_session = to_session,
          .issuing_account = grant.issuing_account};
}

}  // namespace

bool KeyGrants::VisitAllTo(std::string_view grantee_id, bool to_session, const GrantDemand& demand,
                           GrantVisitor& visitor) const {
  std::optional<GrantId> after;
  for (;;) {
    const std::vector<GrantPtr> grants = view_.grants.ListTo(grantee_id, after, kGrantsAtOnce);
    for (const GrantPtr& grant : grants) {
      if (!Covers(*grant, demand)) continue;
      // The grant stays as long as the view does.
      if (!visitor.Visit(MatchOf(*grant, to_session))) return false;
    }
    if (grants.size() < kGrantsAtOnce) return true;
    after = grants.back()->id;
  }
}

void KeyGrants::VisitGrants(const AccessRequest& request, GrantVisitor& visitor) const {
  const std::string_view source_arn = request.context.source_arn.value_or(std::string_view());
  const GrantDemand demand =
      child_ != nullptr ? DemandOnParent(*child_, source_arn)
                        : GrantDemand{GrantOperations::BitOf(request.operation), source_arn};
  if (demand.operations == 0) return;
  const auto first = view_.grants.FindCovering(caller_, demand);
  if (!first || !visitor.Visit(MatchOf(*first->grant, first->to_session))) return;
  // At home that was the one on which least stands in the way. Abroad it counts who made it, too:
  // rare, and slow.
  if (caller_.account == view_.key.account) return;
  const std::string_view self = caller_.is_root ? caller_.account.text() : caller_.unique_id;
  if (!self.empty() && !VisitAllTo(self, caller_.is_session, demand, visitor)) return;
  if (caller_.is_session) VisitAllTo(caller_.role_id, /*to_session=*/false, demand, visitor);
}

std::vector<std::string> KeyAliases::Names() const {
  std::vector<std::string> names;
  for (const AliasRecord& alias : engine_.keys.ListAliases(
           view_.key.account, view_.key.id, "", std::numeric_limits<std::size_t>::max())) {
    names.push_back(alias.name);
  }
  return names;
}

Question::Question(const Asker& asker, const AccountId& account, std::string_view resource_arn)
    : context_(asker.context), caller_(CallerOf(asker.caller)), access_{caller_,  asker.operation,
                                                                        account,  resource_arn,
                                                                        context_, nullptr,
                                                                        nullptr} {
  FillFromCall(asker.engine, asker.call, &context_);
  if (asker.given != nullptr) asker.given->ApplyTo(&context_);
}

Question::Question(const Asker& asker, const KeyView& view, const GrantRecord* child)
    : context_(asker.context),
      caller_(CallerOf(asker.caller)),
      aliases_(std::in_place, asker.engine, view),
      grants_(std::in_place, view, asker.caller, child),
      access_{caller_,  asker.operation,        view.key.account, view.arn,
              context_, &view.policy->compiled, &*grants_} {
  FillFromCall(asker.engine, asker.call, &context_);
  FillFromKey(view, *aliases_, &context_);
  if (asker.given != nullptr) asker.given->ApplyTo(&context_);
}

std::string DecidedBy(const Decision& decision) {
  if (decision.because.empty()) return {};
  std::string text(Name(decision.decider));
  return text.append(": ").append(decision.because);
}

std::string_view AddressOf(std::string_view peer) {
  peer = peer.substr(0, peer.rfind(':'));
  if (peer.starts_with('[') && peer.ends_with(']')) peer = peer.substr(1, peer.size() - 2);
  return peer;
}

void FillFromCall(const Engine& engine, const CallContext& call, RequestContext* context) {
  if (!call.peer.empty()) context->source_ip = AddressOf(call.peer);
  context->current_time = engine.clock.Now();
  context->requested_region = engine.site.region;
  // No front serves without TLS.
  context->secure_transport = true;
}

void FillFromKey(const KeyView& view, const KeyAliases& aliases, RequestContext* context) {
  context->key_spec = view.key.spec;
  context->key_usage = view.key.usage;
  context->key_origin = view.key.origin;
  context->multi_region = view.key.id.multi_region();
  context->resource_tags = hallmark::TagList(view.tags);
  context->resource_aliases = &aliases;
}

}  // namespace hallmark::app
