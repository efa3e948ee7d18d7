// The grants of one key.
#pragma once

#include "keystate/grants/grant_caller.h"
#include "keystate/persistent_set.h"
#include "keystate/records.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace hallmark {

using GrantPtr = std::shared_ptr<const GrantRecord>;

// A grant that helps a caller.
struct CoveringGrant {
  const GrantRecord* grant;
  // It was made to this very session, not to its role: then neither a session policy nor a
  // permissions boundary can take it away, and only an explicit deny can.
  bool to_session;
};

// Whether both were made by the same account with the same name and parameters. Principals are
// compared by their unique ids, operations whatever their order.
bool AreAlike(const GrantRecord& a, const GrantRecord& b);

// What a grant must allow to be of use.
struct GrantDemand {
  // All of them, in one grant: two grants are never added up. None: no grant helps.
  GrantOperations::Bits operations;
  // aws:SourceArn of the call; empty: it carries none.
  std::string_view source_arn{};
};

// Whether the grant, by itself, allows all of it in this call, whoever the grantee is.
bool Covers(const GrantRecord& grant, const GrantDemand& demand);

// An immutable version of a key's grants. With and Without make another, at a cost of O(log n) time
// and memory; a copy is one pointer, and a key without grants costs nothing more than that.
//
// Thread-safety: any number of threads may read the same version.
class GrantSet {
 public:
  GrantSet() = default;
  // In any order, of one key. For the start: O(n log n).
  static GrantSet Of(std::vector<GrantRecord> grants);

  // `grant` takes the place of one with the same id.
  GrantSet With(GrantRecord grant) const;
  // This version if there is no such grant.
  GrantSet Without(const GrantId& id) const;

  std::size_t size() const { return indexes_ == nullptr ? 0 : indexes_->size; }
  bool empty() const { return indexes_ == nullptr; }

  // Null if there is none.
  GrantPtr Find(const GrantId& id) const;

  // The first grant, by id, that covers the demand for this caller; one to a session itself before
  // those to its role. For one operation O(log n)
  // however many grants the caller has, and for several at worst the number of its grants that
  // allow each of them; grants that are constrained to a SourceArn count only if the call carries
  // one, and are then tried one by one. Nothing is allocated. What it points to lives as long as
  // any version that holds the grant.
  std::optional<CoveringGrant> FindCovering(const GrantCaller& caller,
                                            const GrantDemand& demand) const;

  // The grant that is like this one, if the name is not empty: a repeat of its CreateGrant.
  GrantPtr FindRepeated(const GrantRecord& wanted) const;

  // At most `limit` grants in the order of their ids, beginning after `after`: all, or those to one
  // grantee. The order never changes, so a list that goes on behind a grant which has gone
  // meanwhile misses none.
  std::vector<GrantPtr> List(const std::optional<GrantId>& after, std::size_t limit) const;
  std::vector<GrantPtr> ListTo(std::string_view grantee_id, const std::optional<GrantId>& after,
                               std::size_t limit) const;

  // Calls `removed` and `added` with the grants in which the versions differ; O(log n) for each if
  // one was made from the other.
  template <class Removed, class Added>
  static void Diff(const GrantSet& before, const GrantSet& after, const Removed& removed,
                   const Added& added) {
    const auto by_id = [](const GrantSet& set) {
      return set.indexes_ == nullptr ? ById() : set.indexes_->by_id;
    };
    ById::Diff(by_id(before), by_id(after), removed, added);
  }

 private:
  struct IdLess {
    bool operator()(const GrantPtr& a, const GrantPtr& b) const { return a->id < b->id; }
    bool operator()(const GrantPtr& a, const GrantId& b) const { return a->id < b; }
    bool operator()(const GrantId& a, const GrantPtr& b) const { return a < b->id; }
  };
  // A place among the grants of one grantee; without an id the place before all of them.
  struct GranteePlace {
    std::string_view grantee_id;
    const GrantId* id;
  };
  struct GranteeLess {
    bool operator()(const GrantPtr& a, const GrantPtr& b) const;
    bool operator()(const GrantPtr& a, const GranteePlace& b) const;
  };
  // What some grant of a subtree allows in every call, and in calls that carry a SourceArn.
  struct Allowed {
    GrantOperations::Bits always;
    GrantOperations::Bits with_source;
    static Allowed Of(const GrantPtr& grant);
    friend Allowed operator|(Allowed a, Allowed b) {
      return {static_cast<GrantOperations::Bits>(a.always | b.always),
              static_cast<GrantOperations::Bits>(a.with_source | b.with_source)};
    }
  };
  struct ParameterLess {
    bool operator()(const GrantPtr& a, const GrantPtr& b) const;
    bool operator()(const GrantPtr& a, const GrantRecord& b) const;
  };

  using ById = PersistentSet<GrantPtr, IdLess>;
  using ByGrantee = PersistentSet<GrantPtr, GranteeLess, Allowed>;
  // Only grants that have a name.
  using ByParameters = PersistentSet<GrantPtr, ParameterLess>;
  struct Indexes {
    ById by_id;
    ByGrantee by_grantee;
    ByParameters by_parameters;
    std::size_t size = 0;
  };

  explicit GrantSet(std::shared_ptr<const Indexes> indexes) : indexes_(std::move(indexes)) {}
  const GrantRecord* FindTo(std::string_view grantee_id, const GrantDemand& demand) const;

  // INVARIANT: null, not empty, while there is no grant.
  std::shared_ptr<const Indexes> indexes_;
};

}  // namespace hallmark
