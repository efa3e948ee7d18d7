#include "service/app/given_context.h"

#include "keystate/policy/ip_range.h"
#include "keystate/policy/pattern.h"
#include "keystate/policy/policy_time.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace hallmark::app {
namespace {

using Text = std::optional<std::string_view>;

Text ReadText(std::string_view text) { return text; }

std::optional<bool> ReadBool(std::string_view text) {
  if (EqualIgnoringCase(text, "true")) return true;
  if (EqualIgnoringCase(text, "false")) return false;
  return std::nullopt;
}

std::optional<std::int64_t> ReadNumber(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return number;
}

Text ReadAddress(std::string_view text) {
  if (!IpAddress::Parse(text)) return std::nullopt;
  return text;
}

// A policy may compare with any time; one that is shown has a year of four digits.
std::optional<WallTime> ReadTime(std::string_view text) {
  using std::chrono::sys_days, std::chrono::year, std::chrono::January;
  const std::optional<WallTime> time = ParsePolicyTime(text);
  const bool shown = time && *time >= sys_days(year(0) / January / 1) &&
                     *time < sys_days(year(10'000) / January / 1);
  if (!shown) return std::nullopt;
  return time;
}

std::optional<MacAlgorithm> ReadMacAlgorithm(std::string_view text) {
  for (const KeySpecRow& row : kKeySpecs) {
    if (row.algorithm_name == text) return row.algorithm;
  }
  return std::nullopt;
}

std::optional<KeyUsage> ReadKeyUsage(std::string_view text) {
  if (text == "GENERATE_VERIFY_MAC") return KeyUsage::kGenerateVerifyMac;
  return std::nullopt;
}

std::optional<Origin> ReadOrigin(std::string_view text) {
  if (text == "AWS_KMS") return Origin::kAwsKms;
  if (text == "EXTERNAL") return Origin::kExternal;
  return std::nullopt;
}

class GivenAliases final : public ResourceAliases {
 public:
  explicit GivenAliases(std::vector<std::string> names) : names_(std::move(names)) {}
  std::vector<std::string> Names() const override { return names_; }

 private:
  const std::vector<std::string> names_;
};

Unexpected<Error> Refused(std::string_view key, const std::string& why) {
  return Fail(Exception::kValidationException,
              "Context key '" + std::string(key) + "' " + why + ".");
}

std::vector<std::string> TextsOf(const std::vector<std::string_view>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

ValueOrigin OriginOf(ConditionKeyId key) {
  switch (key) {
    case ConditionKeyId::kMacAlgorithm:
    case ConditionKeyId::kBypassPolicyLockoutSafetyCheck:
    case ConditionKeyId::kGrantOperations:
    case ConditionKeyId::kGranteePrincipal:
    case ConditionKeyId::kRetiringPrincipal:
    case ConditionKeyId::kGrantConstraintType:
    case ConditionKeyId::kExpirationModel:
    case ConditionKeyId::kValidTo:
    case ConditionKeyId::kWrappingAlgorithm:
    case ConditionKeyId::kWrappingKeySpec:
    case ConditionKeyId::kPendingWindowInDays:
    case ConditionKeyId::kRequestTag:
    case ConditionKeyId::kTagKeys:
      return ValueOrigin::kRequest;
    case ConditionKeyId::kRequestAlias:
    case ConditionKeyId::kResourceAliases:
    case ConditionKeyId::kKeySpec:
    case ConditionKeyId::kKeyUsage:
    case ConditionKeyId::kKeyOrigin:
    case ConditionKeyId::kCustomerMasterKeySpec:
    case ConditionKeyId::kCustomerMasterKeyUsage:
    case ConditionKeyId::kMultiRegion:
    case ConditionKeyId::kMultiRegionKeyType:
    case ConditionKeyId::kResourceTag:
      return ValueOrigin::kKey;
    case ConditionKeyId::kGrantIsForAWSResource:
    case ConditionKeyId::kViaService:
    case ConditionKeyId::kRequestedRegion:
    case ConditionKeyId::kSourceArn:
    case ConditionKeyId::kSourceIp:
    case ConditionKeyId::kUserAgent:
    case ConditionKeyId::kCurrentTime:
    case ConditionKeyId::kEpochTime:
    case ConditionKeyId::kSecureTransport:
      return ValueOrigin::kCall;
    case ConditionKeyId::kCallerAccount:
    case ConditionKeyId::kPrincipalArn:
    case ConditionKeyId::kPrincipalAccount:
    case ConditionKeyId::kPrincipalTag:
    case ConditionKeyId::kPrincipalType:
    case ConditionKeyId::kUserId:
    case ConditionKeyId::kUserName:
    case ConditionKeyId::kPrincipalIsAWSService:
    case ConditionKeyId::kViaAWSService:
    case ConditionKeyId::kResourceAccount:
    case ConditionKeyId::kNeverPresent:
      break;
  }
  return ValueOrigin::kPrincipal;
}

// Reads the one value of a key and remembers where it belongs.
template <class Member, class Read>
Status GivenContext::Set(const Given& given, const char* type, Member RequestContext::*member,
                         Read read) {
  if (given.values.size() > 1) return Refused(given.key.name, "has one value, not several");
  const auto value = read(given.values.front());
  if (!value) {
    return Refused(given.key.name,
                   "is not " + std::string(type) + ": '" + std::string(given.values.front()) + "'");
  }
  setters_.push_back([member, value](RequestContext* context) { context->*member = *value; });
  return {};
}

Status GivenContext::Add(const Given& given) {
  using Context = RequestContext;
  switch (given.key.id) {
    case ConditionKeyId::kMacAlgorithm:
      return Set(given, "a MAC algorithm", &Context::mac_algorithm, ReadMacAlgorithm);
    case ConditionKeyId::kRequestAlias:
      return Set(given, "text", &Context::request_alias, ReadText);
    case ConditionKeyId::kBypassPolicyLockoutSafetyCheck:
      return Set(given, "true or false", &Context::bypass_policy_lockout_safety_check, ReadBool);
    case ConditionKeyId::kPendingWindowInDays:
      return Set(given, "a whole number", &Context::pending_window_days, ReadNumber);
    case ConditionKeyId::kGranteePrincipal:
      return Set(given, "text", &Context::grantee_principal, ReadText);
    case ConditionKeyId::kRetiringPrincipal:
      return Set(given, "text", &Context::retiring_principal, ReadText);
    case ConditionKeyId::kGrantConstraintType:
      return Set(given, "text", &Context::grant_constraint_type, ReadText);
    case ConditionKeyId::kGrantIsForAWSResource:
      return Set(given, "true or false", &Context::grant_is_for_aws_resource, ReadBool);
    case ConditionKeyId::kExpirationModel:
      return Set(given, "text", &Context::expiration_model, ReadText);
    case ConditionKeyId::kValidTo:
      return Set(given, "a time", &Context::valid_to, ReadTime);
    case ConditionKeyId::kWrappingAlgorithm:
      return Set(given, "text", &Context::wrapping_algorithm, ReadText);
    case ConditionKeyId::kWrappingKeySpec:
      return Set(given, "text", &Context::wrapping_key_spec, ReadText);
    case ConditionKeyId::kKeySpec:
    case ConditionKeyId::kCustomerMasterKeySpec:
      return Set(given, "a spec of an HMAC key", &Context::key_spec, KeySpecFromName);
    case ConditionKeyId::kKeyUsage:
    case ConditionKeyId::kCustomerMasterKeyUsage:
      return Set(given, "GENERATE_VERIFY_MAC", &Context::key_usage, ReadKeyUsage);
    case ConditionKeyId::kKeyOrigin:
      return Set(given, "AWS_KMS or EXTERNAL", &Context::key_origin, ReadOrigin);
    case ConditionKeyId::kMultiRegion:
      return Set(given, "true or false", &Context::multi_region, ReadBool);
    case ConditionKeyId::kMultiRegionKeyType:
      return Set(given, "text", &Context::multi_region_key_type, ReadText);
    case ConditionKeyId::kViaService:
      return Set(given, "text", &Context::via_service, ReadText);
    case ConditionKeyId::kSourceArn:
      return Set(given, "text", &Context::source_arn, ReadText);
    case ConditionKeyId::kSourceIp:
      return Set(given, "an IP address", &Context::source_ip, ReadAddress);
    case ConditionKeyId::kRequestedRegion:
      return Set(given, "text", &Context::requested_region, ReadText);
    case ConditionKeyId::kUserAgent:
      return Set(given, "text", &Context::user_agent, ReadText);
    case ConditionKeyId::kCurrentTime:
    case ConditionKeyId::kEpochTime:
      return Set(given, "a time", &Context::current_time, ReadTime);
    case ConditionKeyId::kSecureTransport:
      return Set(given, "true or false", &Context::secure_transport, ReadBool);
    case ConditionKeyId::kGrantOperations:
      grant_operations_ = TextsOf(given.values);
      return {};
    case ConditionKeyId::kTagKeys:
      tag_keys_ = TextsOf(given.values);
      return {};
    case ConditionKeyId::kResourceAliases:
      aliases_ = std::make_unique<const GivenAliases>(TextsOf(given.values));
      return {};
    case ConditionKeyId::kRequestTag:
    case ConditionKeyId::kResourceTag: {
      if (given.values.size() > 1) return Refused(given.key.name, "has one value, not several");
      auto& tags = given.key.id == ConditionKeyId::kRequestTag ? request_tags_ : resource_tags_;
      tags.push_back({given.key.suffix, given.values.front()});
      return {};
    }
    case ConditionKeyId::kNeverPresent:
      return Refused(given.key.name, "is never present in a request");
    case ConditionKeyId::kCallerAccount:
    case ConditionKeyId::kPrincipalArn:
    case ConditionKeyId::kPrincipalAccount:
    case ConditionKeyId::kPrincipalTag:
    case ConditionKeyId::kPrincipalType:
    case ConditionKeyId::kUserId:
    case ConditionKeyId::kUserName:
    case ConditionKeyId::kPrincipalIsAWSService:
    case ConditionKeyId::kViaAWSService:
    case ConditionKeyId::kResourceAccount:
      break;
  }
  return Refused(given.key.name, "follows from the principal and the key and cannot be given");
}

// What a call can carry: an alias and the value of a tag have 256 characters, and a key 50 tags.
constexpr std::size_t kLongestValue = 256;
constexpr std::size_t kMostValues = 50;

Result<GivenContext> GivenContext::Parse(
    const google::protobuf::RepeatedPtrField<v1::ContextValue>& values) {
  // Keys know no case, so neither spelling nor place tells which values belong together.
  std::vector<Given> all;
  for (const v1::ContextValue& value : values) {
    std::optional<ConditionKey> key = ConditionKey::Parse(value.key());
    if (!key) return Refused(value.key(), "does not exist");
    const bool is_long =
        key->id == ConditionKeyId::kSourceArn || key->id == ConditionKeyId::kUserAgent;
    if (!is_long && value.value().size() > kLongestValue) {
      return Refused(value.key(), "has a value that is longer than that of any call");
    }
    const auto same = std::find_if(all.begin(), all.end(), [&](const Given& given) {
      return EqualIgnoringCase(given.key.name, key->name);
    });
    if (same != all.end()) {
      if (same->values.size() == kMostValues) {
        return Refused(value.key(), "has more values than those of any call");
      }
      same->values.emplace_back(value.value());
    } else {
      all.push_back({*std::move(key), {value.value()}});
    }
  }
  GivenContext context;
  for (const Given& given : all) {
    HALLMARK_RETURN_IF_ERROR(context.Add(given));
    context.origins_.push_back(OriginOf(given.key.id));
  }
  return context;
}

void GivenContext::ApplyTo(RequestContext* context) {
  for (const auto& set : setters_) set(context);
  if (!grant_operations_.empty()) context->grant_operations = ValueList(grant_operations_);
  if (!request_tags_.empty()) context->request_tags = hallmark::TagList(request_tags_);
  if (!tag_keys_.empty()) context->tag_keys = ValueList(tag_keys_);
  if (aliases_ != nullptr) context->resource_aliases = aliases_.get();
  if (resource_tags_.empty()) return;
  std::vector<Tag>& joined = joined_tags_.emplace_back(resource_tags_);
  for (std::size_t i = 0; i < context->resource_tags.size(); ++i) {
    const TagView tag = context->resource_tags[i];
    const bool given = std::any_of(resource_tags_.begin(), resource_tags_.end(),
                                   [&](const Tag& other) { return other.key == tag.key; });
    if (!given) joined.push_back({std::string(tag.key), tag.value});
  }
  context->resource_tags = hallmark::TagList(joined);
}

bool GivenContext::GoesBeyondTheRequest(bool names_key) const {
  return std::any_of(origins_.begin(), origins_.end(), [&](ValueOrigin origin) {
    return origin == ValueOrigin::kCall || (origin == ValueOrigin::kKey && names_key);
  });
}

std::vector<std::string_view> GivenContext::grant_operations() const {
  return {grant_operations_.begin(), grant_operations_.end()};
}

}  // namespace hallmark::app
