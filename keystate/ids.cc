#include "keystate/ids.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace hallmark {
namespace {

constexpr std::string_view kAliasPrefix = "alias/";
constexpr std::string_view kMultiRegionPrefix = "mrk-";

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

std::optional<std::array<std::byte, 16>> SixteenBytes(std::string_view hex) {
  if (hex.size() != 32 || !std::all_of(hex.begin(), hex.end(), IsLowerHex)) return std::nullopt;
  const std::optional<Bytes> bytes = FromHex(hex);
  std::array<std::byte, 16> result{};
  std::copy(bytes->begin(), bytes->end(), result.begin());
  return result;
}

// Splits into at most `limit` fields; the last one keeps its separators.
std::vector<std::string_view> Split(std::string_view text, char separator, std::size_t limit) {
  std::vector<std::string_view> fields;
  while (fields.size() + 1 < limit) {
    const std::size_t end = text.find(separator);
    if (end == std::string_view::npos) break;
    fields.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  fields.push_back(text);
  return fields;
}

std::string ResourceArn(const Site& site, const AccountId& account, std::string_view resource) {
  std::string arn;
  arn.reserve(32 + site.partition.size() + site.region.size() + resource.size());
  arn.append("arn:").append(site.partition).append(":kms:").append(site.region).append(":");
  arn.append(account.text()).append(":").append(resource);
  return arn;
}

bool IsAliasCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
         c == '_' || c == '-';
}

bool IsPrincipalPathCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("+=,.@_-/").find(c) != std::string_view::npos;
}

}  // namespace

std::optional<AccountId> AccountId::Parse(std::string_view text) {
  AccountId account;
  if (text.size() != account.digits_.size()) return std::nullopt;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), account.digits_.begin());
  return account;
}

std::optional<KeyId> KeyId::Parse(std::string_view text) {
  KeyId id;
  std::string hex;
  if (text.starts_with(kMultiRegionPrefix)) {
    id.multi_region_ = true;
    hex = text.substr(kMultiRegionPrefix.size());
  } else {
    if (text.size() != 36) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool dash_expected = i == 8 || i == 13 || i == 18 || i == 23;
      if ((text[i] == '-') != dash_expected) return std::nullopt;
      if (!dash_expected) hex += text[i];
    }
  }
  const auto bytes = SixteenBytes(hex);
  if (!bytes) return std::nullopt;
  id.bytes_ = *bytes;
  return id;
}

KeyId KeyId::FromRandom(std::array<std::byte, 16> random) {
  KeyId id;
  id.bytes_ = random;
  id.bytes_[6] = (id.bytes_[6] & std::byte{0x0F}) | std::byte{0x40};  // version 4
  id.bytes_[8] = (id.bytes_[8] & std::byte{0x3F}) | std::byte{0x80};  // the RFC 4122 variant
  return id;
}

std::string KeyId::ToString() const {
  std::string text = ToHex(bytes_);
  if (multi_region_) return std::string(kMultiRegionPrefix) + text;
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, 1, '-');
  return text;
}

std::optional<GrantId> GrantId::Parse(std::string_view text) {
  GrantId id;
  if (text.size() != id.digits_.size() || !std::all_of(text.begin(), text.end(), IsLowerHex)) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), id.digits_.begin());
  return id;
}

GrantId GrantId::FromRandom(const std::array<std::byte, 32>& random) {
  return *Parse(ToHex(random));
}

std::string KeyArn(const Site& site, const AccountId& account, const KeyId& id) {
  return ResourceArn(site, account, "key/" + id.ToString());
}

std::string AliasArn(const Site& site, const AccountId& account, std::string_view alias_name) {
  return ResourceArn(site, account, alias_name);
}

Result<AliasName> AliasName::Parse(std::string_view text) {
  if (!text.starts_with(kAliasPrefix)) {
    return Fail(Exception::kValidationException,
                "Alias must start with the prefix \"alias/\". Please see "
                "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html");
  }
  const std::string_view name = text.substr(kAliasPrefix.size());
  if (name.starts_with("aws/")) return Fail(Exception::kNotAuthorizedException);
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsAliasCharacter)) {
    return Fail(Exception::kValidationException,
                std::string(text) + " contains invalid characters for an alias");
  }
  return AliasName(std::string(text));
}

Result<PrincipalArn> PrincipalArn::Parse(std::string_view text, const Site& site) {
  const auto refuse = [&](const char* reason) {
    return Fail(Exception::kValidationException,
                "The principal ARN '" + std::string(text) + "' is not valid: " + reason);
  };
  const std::vector<std::string_view> fields = Split(text, ':', 6);
  if (fields.size() != 6 || fields[0] != "arn") {
    return refuse("expected arn:<partition>:iam::<account>:user/<name>");
  }
  if (fields[1] != site.partition) return refuse("its partition is not this service's");
  const bool sts = fields[2] == "sts";
  if (!sts && fields[2] != "iam") return refuse("the service must be iam or sts");
  if (!fields[3].empty()) return refuse("principals have no Region");
  const std::optional<AccountId> account = AccountId::Parse(fields[4]);
  if (!account) return refuse("the account must be twelve digits");

  const std::string_view resource = fields[5];
  const auto has_path = [&](std::string_view kind) {
    return resource.starts_with(kind) && resource.size() > kind.size() && resource.back() != '/' &&
           resource.find("//") == std::string_view::npos &&
           std::all_of(resource.begin(), resource.end(), IsPrincipalPathCharacter);
  };
  const bool session =
      has_path("assumed-role/") && std::count(resource.begin(), resource.end(), '/') == 2;
  const bool known = sts ? session : resource == "root" || has_path("user/") || has_path("role/");
  if (!known) {
    return refuse(sts ? "expected assumed-role/<role>/<session>"
                      : "expected root, user/<name> or role/<name>");
  }
  PrincipalKind kind = PrincipalKind::kRoot;
  if (sts) {
    kind = PrincipalKind::kSession;
  } else if (resource != "root") {
    kind = has_path("user/") ? PrincipalKind::kUser : PrincipalKind::kRole;
  }
  return PrincipalArn(std::string(text), *account, kind);
}

std::string_view PrincipalArn::name() const {
  const std::string_view text = text_;
  return text.substr(text.find_last_of(":/") + 1);
}

std::string_view PrincipalArn::role_name() const {
  if (kind_ == PrincipalKind::kRole) return name();
  if (kind_ != PrincipalKind::kSession) return {};
  std::string_view text = text_;
  text.remove_suffix(name().size() + 1);
  return text.substr(text.find_last_of('/') + 1);
}

Result<KeyReference> ParseKeyReference(std::string_view text, const Site& site,
                                       const AccountId& caller_account, KeyIdForms accepted) {
  const auto aliases_refused = [] {
    return Fail(Exception::kInvalidArnException,
                "Key Aliases are not supported for this operation.");
  };
  if (text.starts_with(kAliasPrefix)) {
    if (accepted == KeyIdForms::kKeyOnly) return aliases_refused();
    return KeyReference{caller_account, std::string(text)};
  }
  if (!text.starts_with("arn:")) {
    const std::optional<KeyId> id = KeyId::Parse(text);
    if (!id) {
      return Fail(Exception::kNotFoundException, "Invalid keyId '" + std::string(text) + "'");
    }
    return KeyReference{caller_account, *id};
  }

  const auto invalid_arn = [](std::string_view part) {
    return Fail(Exception::kNotFoundException, "Invalid arn " + std::string(part));
  };
  const std::vector<std::string_view> fields = Split(text, ':', 6);
  if (fields.size() != 6 || fields[1] != site.partition || fields[2] != "kms") {
    return invalid_arn(text);
  }
  if (fields[3] != site.region) return invalid_arn(fields[3]);
  const std::optional<AccountId> account = AccountId::Parse(fields[4]);
  if (!account) return invalid_arn(text);
  const std::string_view resource = fields[5];
  if (resource.starts_with(kAliasPrefix)) {
    if (accepted == KeyIdForms::kKeyOnly) return aliases_refused();
    return KeyReference{*account, std::string(resource), true};
  }
  constexpr std::string_view kKeyPrefix = "key/";
  if (!resource.starts_with(kKeyPrefix)) return invalid_arn(text);
  const std::optional<KeyId> id = KeyId::Parse(resource.substr(kKeyPrefix.size()));
  if (!id) return invalid_arn(text);
  return KeyReference{*account, *id, true};
}

}  // namespace hallmark

std::size_t std::hash<hallmark::KeyId>::operator()(const hallmark::KeyId& id) const noexcept {
  // The bytes are random already.
  std::size_t value = 0;
  std::memcpy(&value, id.bytes().data(), sizeof value);
  return value;
}
