// What a request says about itself, for the conditions of policies. Everything here borrows: an
// evaluation copies nothing.
#pragma once

#include "keystate/key_spec.h"
#include "keystate/operation.h"
#include "keystate/records.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hallmark {

// The values of a key that may have several. Made from any vector of strings or of Operation, which
// must outlive it.
class ValueList {
 public:
  ValueList() = default;
  template <class T>
  explicit ValueList(const std::vector<T>& values)
      : values_(values.data()), size_(values.size()), at_(&At<T>) {}

  std::size_t size() const { return size_; }
  std::string_view operator[](std::size_t index) const { return at_(values_, index); }

 private:
  template <class T>
  static std::string_view At(const void* values, std::size_t index) {
    const T& value = static_cast<const T*>(values)[index];
    if constexpr (std::is_same_v<T, Operation>) {
      return Name(value);
    } else {
      return value;
    }
  }

  const void* values_ = nullptr;
  std::size_t size_ = 0;
  std::string_view (*at_)(const void*, std::size_t) = nullptr;
};

struct TagView {
  std::string_view key;
  std::string_view value;
};

// Tags, made from any vector whose elements have key and value, or tag_key and tag_value; the
// vector must outlive it.
class TagList {
 public:
  TagList() = default;
  template <class T>
  explicit TagList(const std::vector<T>& tags)
      : tags_(tags.data()), size_(tags.size()), at_(&At<T>) {}

  std::size_t size() const { return size_; }
  TagView operator[](std::size_t index) const { return at_(tags_, index); }

  // The value of a tag as a condition key names it, aws:ResourceTag/<key>: condition keys know no
  // case, tags do. The tag that is spelled as in the policy counts; if there is none, the first in
  // the list that differs in case only.
  std::optional<std::string_view> Find(std::string_view key) const;

 private:
  template <class T>
  static TagView At(const void* tags, std::size_t index) {
    const T& tag = static_cast<const T*>(tags)[index];
    if constexpr (requires { tag.tag_key; }) {
      return {tag.tag_key, tag.tag_value};
    } else {
      return {tag.key, tag.value};
    }
  }

  const void* tags_ = nullptr;
  std::size_t size_ = 0;
  TagView (*at_)(const void*, std::size_t) = nullptr;
};

// The aliases of the key, looked up only when a policy asks for them.
class ResourceAliases {
 public:
  virtual ~ResourceAliases() = default;
  // Their names, "alias/" included.
  virtual std::vector<std::string> Names() const = 0;
};

// What is absent stays empty. Which operations and which policies see a value is decided by the
// table of condition keys, so whoever fills this in may give more than the operation has.
struct RequestContext {
  // Of the request.
  std::optional<MacAlgorithm> mac_algorithm{};
  // The alias in KeyId, as a name ("alias/x") also when it was sent as an ARN.
  std::optional<std::string_view> request_alias{};
  std::optional<bool> bypass_policy_lockout_safety_check{};
  std::optional<std::int64_t> pending_window_days{};
  ValueList grant_operations{};
  std::optional<std::string_view> grantee_principal{};
  std::optional<std::string_view> retiring_principal{};
  std::optional<std::string_view> grant_constraint_type{};
  std::optional<bool> grant_is_for_aws_resource{};
  std::optional<std::string_view> expiration_model{};
  std::optional<WallTime> valid_to{};
  std::optional<std::string_view> wrapping_algorithm{};
  std::optional<std::string_view> wrapping_key_spec{};
  TagList request_tags{};
  ValueList tag_keys{};

  // Of the key; for CreateKey of the key to be made.
  std::optional<KeySpec> key_spec{};
  std::optional<KeyUsage> key_usage{};
  std::optional<Origin> key_origin{};
  std::optional<bool> multi_region{};
  std::optional<std::string_view> multi_region_key_type{};
  TagList resource_tags{};
  const ResourceAliases* resource_aliases = nullptr;

  // Of the call.
  std::optional<std::string_view> via_service{};
  std::optional<std::string_view> source_arn{};
  std::optional<std::string_view> source_ip{};
  std::optional<std::string_view> requested_region{};
  std::optional<std::string_view> user_agent{};
  std::optional<WallTime> current_time{};
  std::optional<bool> secure_transport{};
};

}  // namespace hallmark
