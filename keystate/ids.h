// Identifiers: parsed once at the edge, then values.
#pragma once

#include "keystate/bytes.h"
#include "keystate/result.h"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace hallmark {

// Where the service stands; part of every ARN. Fixed in the store when it is made.
struct Site {
  std::string partition;  // "aws"
  std::string region;     // "us-west-2"
  bool operator==(const Site&) const = default;
};

// Twelve decimal digits.
class AccountId {
 public:
  static std::optional<AccountId> Parse(std::string_view text);

  std::string_view text() const { return {digits_.data(), digits_.size()}; }
  auto operator<=>(const AccountId&) const = default;

 private:
  AccountId() = default;
  std::array<char, 12> digits_{};
};

// A lower-case UUID, or "mrk-" and 32 lower-case hexadecimal digits.
class KeyId {
 public:
  static std::optional<KeyId> Parse(std::string_view text);
  // A version 4 UUID: six of the 128 bits are overwritten.
  static KeyId FromRandom(std::array<std::byte, 16> random);

  std::string ToString() const;
  const std::array<std::byte, 16>& bytes() const { return bytes_; }
  bool multi_region() const { return multi_region_; }
  auto operator<=>(const KeyId&) const = default;

 private:
  KeyId() = default;
  std::array<std::byte, 16> bytes_{};
  bool multi_region_ = false;
};

// 32 random bytes, shown as 64 lower-case hexadecimal digits.
class GrantId {
 public:
  static std::optional<GrantId> Parse(std::string_view text);
  static GrantId FromRandom(const std::array<std::byte, 32>& random);

  std::string_view text() const { return {digits_.data(), digits_.size()}; }
  std::string ToString() const { return std::string(text()); }
  auto operator<=>(const GrantId&) const = default;

 private:
  GrantId() = default;
  std::array<char, 64> digits_{};
};

// arn:<partition>:kms:<region>:<account>:key/<id>
std::string KeyArn(const Site& site, const AccountId& account, const KeyId& id);
// arn:<partition>:kms:<region>:<account>:<alias_name>; the name includes "alias/".
std::string AliasArn(const Site& site, const AccountId& account, std::string_view alias_name);

// The name of an alias that may be created, "alias/" included.
class AliasName {
 public:
  // Errors: ValidationException when the prefix is missing or a character is not allowed;
  //   NotAuthorizedException for the reserved prefix "alias/aws/". Length and the schema's pattern
  //   are checked before, with the request.
  static Result<AliasName> Parse(std::string_view text);

  const std::string& text() const { return text_; }

 private:
  explicit AliasName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

enum class PrincipalKind { kRoot, kUser, kRole, kSession };

// The ARN of who calls: an account root, a user, a role or an assumed-role session.
class PrincipalArn {
 public:
  // Errors: ValidationException that names what is wrong with the ARN.
  static Result<PrincipalArn> Parse(std::string_view text, const Site& site);

  const std::string& text() const { return text_; }
  const AccountId& account() const { return account_; }
  PrincipalKind kind() const { return kind_; }
  // Of a role its name without the path, of a session the name of its role; empty otherwise. An
  // account has one role of a name, whatever the path.
  std::string_view role_name() const;
  // The last part of the text: of a session its own name.
  std::string_view name() const;

 private:
  PrincipalArn(std::string text, AccountId account, PrincipalKind kind)
      : text_(std::move(text)), account_(account), kind_(kind) {}
  std::string text_;
  AccountId account_;
  PrincipalKind kind_;
};

// What a KeyId member names, before anything is looked up.
struct KeyReference {
  AccountId account;
  std::variant<KeyId, std::string> target;  // a key, or an alias name with its "alias/"
  bool is_arn = false;

  const KeyId* key_id() const { return std::get_if<KeyId>(&target); }
  const std::string* alias() const { return std::get_if<std::string>(&target); }
};

enum class KeyIdForms { kKeyOnly, kKeyOrAlias };

// Reads any of the four forms: key id, key ARN, alias name, alias ARN. A bare form means the
// caller's account.
//
// Errors: NotFoundException for a malformed id or ARN and for another Region; InvalidArnException
//   for an alias where `accepted` has none.
// Source: kms API reference, "KeyId" of each operation.
Result<KeyReference> ParseKeyReference(std::string_view text, const Site& site,
                                       const AccountId& caller_account, KeyIdForms accepted);

}  // namespace hallmark

template <>
struct std::hash<hallmark::KeyId> {
  std::size_t operator()(const hallmark::KeyId& id) const noexcept;
};
