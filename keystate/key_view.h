// Everything a decision about one key rests on.
#pragma once

#include "keystate/grants/grant_set.h"
#include "keystate/policy/policy_cache.h"
#include "keystate/records.h"

#include <memory>
#include <string>
#include <vector>

namespace hallmark {

// One immutable version of a key. A request loads one view and decides on it; a change publishes a
// new view, so "has anything changed" is a comparison of two pointers.
struct KeyView {
  KeyRecord key;
  std::string arn;
  MaterialRecord material;
  std::vector<BindingRecord> bindings;  // ready ones only
  std::vector<TagRecord> tags;          // in the order of their positions
  GrantSet grants{};
  // Never null once the view is published.
  StoredPolicyPtr policy{};
};

using KeyViewPtr = std::shared_ptr<const KeyView>;

}  // namespace hallmark
