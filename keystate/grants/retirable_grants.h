// Which grants a principal may retire, over all keys.
#pragma once

#include "keystate/grants/grant_set.h"
#include "keystate/ids.h"
#include "keystate/mutex.h"

#include <compare>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {

// Where a grant stands in a list over all keys. Neither part ever changes, so a list that goes on
// behind a grant that has gone meanwhile misses none.
struct GrantPlace {
  KeyId key_id;
  GrantId grant_id;
  auto operator<=>(const GrantPlace&) const = default;
};

// The index from retiring principals to grants. It holds no grants, only where they are: what it
// says is looked up in the key's view, which is the truth.
//
// Thread-safety: every method may be called from any thread. Updates of one key must follow each
// other in the order of its versions; KeyDirectory makes them under the lock of the key's shard.
class RetirableGrants {
 public:
  // A key's grants were `before` and are `after`. O(log n) per grant in which they differ.
  void Update(const GrantSet& before, const GrantSet& after);

  // At most `limit` in order, beginning after `after`.
  std::vector<GrantPlace> List(std::string_view retiring_id, const std::optional<GrantPlace>& after,
                               std::size_t limit) const;

 private:
  // Taken after a shard's mutex, never before; nothing is locked under it.
  mutable Mutex mu_;
  // By the unique ids of retiring principals; nobody has an empty set.
  std::map<std::string, std::set<GrantPlace>, std::less<>> places_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark
