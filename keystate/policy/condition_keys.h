// The condition keys of policies: which exist, and what they are in a request.
#pragma once

#include "keystate/policy/access_request.h"
#include "keystate/policy/operation_set.h"
#include "keystate/policy/policy_time.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {

// What a document is attached to.
enum class PolicyKind {
  kKey,       // to a key
  kIdentity,  // to a principal: identity policies, permissions boundaries, session policies
};

enum class ConditionKeyId {
#define HALLMARK_CONDITION_KEY(id, name, operations, policies) k##id,
#include "keystate/policy/condition_keys.def"
#undef HALLMARK_CONDITION_KEY
  // A key of AWS that no request here has: encryption contexts, virtual networks, other services.
  kNeverPresent,
};

// A condition key as a document names it.
struct ConditionKey {
  ConditionKeyId id;
  std::string name;    // as written
  std::string suffix;  // the tag's key of aws:PrincipalTag/<key> and its like; else empty

  // Names know no case. Nothing for a key that does not exist: one of kms: or aws: that AWS does
  // not have, where a slip of the pen would turn a restriction into nothing, or text without a
  // service.
  static std::optional<ConditionKey> Parse(std::string_view name);
};

// Room for values that are not text in the request.
struct ValueBuffer {
  PolicyTimeBuffer text;
  std::vector<std::string> aliases;
};

// The values of one key in one request, as text: "true", "7", "2026-11-22T12:00:00Z".
class KeyValues {
 public:
  // `buffer` must outlive the result.
  static KeyValues Read(const ConditionKey& key, const AccessRequest& request, PolicyKind kind,
                        ValueBuffer& buffer);

  std::size_t size() const { return size_; }
  std::string_view operator[](std::size_t index) const { return multi_ ? list_[index] : single_; }
  // The key has several values by its nature, though perhaps just one in this request.
  bool multi_valued() const { return multi_; }
  // The key has more aliases than the quota: conditions on them deny.
  bool over_quota() const { return over_quota_; }

 private:
  KeyValues() = default;
  explicit KeyValues(std::optional<std::string_view> single)
      : size_(single ? 1 : 0), single_(single.value_or(std::string_view())) {}
  explicit KeyValues(ValueList list) : size_(list.size()), multi_(true), list_(list) {}

  std::size_t size_ = 0;
  bool multi_ = false;
  bool over_quota_ = false;
  std::string_view single_;
  ValueList list_;
};

// The aliases of one key that conditions can judge.
// Source: KMS developer guide, "kms:ResourceAliases" and the quota of aliases per key.
inline constexpr std::size_t kMaxJudgedAliases = 50;

// Whether a request of this operation can have the key, seen from a policy of this kind.
bool CanBePresent(ConditionKeyId key, Operation operation, PolicyKind kind);

}  // namespace hallmark
