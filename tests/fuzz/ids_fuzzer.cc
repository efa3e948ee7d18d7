// Identifiers: whatever is accepted is written again exactly as it was read.
#include "keystate/ids.h"
#include "tests/fuzz/promise.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace hallmark {
namespace {

const Site kSite{"aws", "us-west-2"};

bool IsOneOf(char c, std::string_view more) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         more.find(c) != std::string_view::npos;
}

void CheckKeyId(std::string_view text) {
  if (const auto id = KeyId::Parse(text)) {
    HALLMARK_PROMISE(id->ToString() == text);
    HALLMARK_PROMISE(id->multi_region() == text.starts_with("mrk-"));
  }
  std::array<std::byte, 16> random{};
  std::memcpy(random.data(), text.data(), std::min(text.size(), random.size()));
  const KeyId made = KeyId::FromRandom(random);
  HALLMARK_PROMISE(made.ToString()[14] == '4');
  HALLMARK_PROMISE(KeyId::Parse(made.ToString()) == made);
}

void CheckAliasName(std::string_view text) {
  const Result<AliasName> name = AliasName::Parse(text);
  if (!name) return;
  HALLMARK_PROMISE(name->text() == text);
  HALLMARK_PROMISE(text.starts_with("alias/") && !text.starts_with("alias/aws/"));
  HALLMARK_PROMISE(std::all_of(text.begin(), text.end(), [](char c) { return IsOneOf(c, "/_-"); }));
}

void CheckPrincipalArn(std::string_view text) {
  const Result<PrincipalArn> arn = PrincipalArn::Parse(text, kSite);
  if (!arn) {
    HALLMARK_PROMISE(arn.error().exception == Exception::kValidationException);
    return;
  }
  HALLMARK_PROMISE(arn->text() == text);
  const std::string account(arn->account().text());
  HALLMARK_PROMISE(text.starts_with("arn:aws:iam::" + account + ":") ||
                   text.starts_with("arn:aws:sts::" + account + ":assumed-role/"));
  // Logs and certificates carry principals: nothing that could forge a second field or line.
  HALLMARK_PROMISE(
      std::all_of(text.begin(), text.end(), [](char c) { return IsOneOf(c, ":+=,.@_-/"); }));
}

std::string TextOf(const KeyReference& reference) {
  if (!reference.is_arn) {
    return reference.key_id() != nullptr ? reference.key_id()->ToString() : *reference.alias();
  }
  return reference.key_id() != nullptr ? KeyArn(kSite, reference.account, *reference.key_id())
                                       : AliasArn(kSite, reference.account, *reference.alias());
}

void CheckKeyReference(std::string_view text) {
  const AccountId caller = *AccountId::Parse("111122223333");
  const auto any = ParseKeyReference(text, kSite, caller, KeyIdForms::kKeyOrAlias);
  const auto key = ParseKeyReference(text, kSite, caller, KeyIdForms::kKeyOnly);
  if (!any) {
    HALLMARK_PROMISE(any.error().exception == Exception::kNotFoundException);
    HALLMARK_PROMISE(!key && key.error().exception == Exception::kNotFoundException);
    HALLMARK_PROMISE(any.error().message.size() <= text.size() + 64);
    return;
  }
  HALLMARK_PROMISE(TextOf(*any) == text);
  HALLMARK_PROMISE(any->is_arn || any->account == caller);
  if (any->alias() != nullptr) {
    HALLMARK_PROMISE(!key && key.error().exception == Exception::kInvalidArnException);
  } else {
    HALLMARK_PROMISE(key && *key->key_id() == *any->key_id() && key->account == any->account);
  }
}

}  // namespace
}  // namespace hallmark

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto account = hallmark::AccountId::Parse(text)) {
    HALLMARK_PROMISE(account->text() == text);
  }
  hallmark::CheckKeyId(text);
  hallmark::CheckAliasName(text);
  hallmark::CheckPrincipalArn(text);
  hallmark::CheckKeyReference(text);
  return 0;
}
