#include "keystate/grants/grant_token.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>

namespace hallmark {
namespace {

// Source: KMS API reference, GrantTokenType.
constexpr std::size_t kMaxTokenBytes = 8192;
constexpr std::string_view kVersion = "1";

std::string Context(std::string_view store_id) {
  return std::string("grant token ").append(store_id);
}

// Takes what stands before the next blank off `text`.
std::string_view NextField(std::string_view& text) {
  const std::string_view field = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), field.size() + 1));
  return field;
}

// "1 <key id> <grant id> <revision> <salt>"
std::optional<GrantToken> ParsePayload(std::string_view payload) {
  if (NextField(payload) != kVersion) return std::nullopt;
  const std::optional<KeyId> key_id = KeyId::Parse(NextField(payload));
  const std::optional<GrantId> grant_id = GrantId::Parse(NextField(payload));
  const std::string_view digits = NextField(payload);
  Revision revision = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), revision);
  if (!key_id || !grant_id || error != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return GrantToken{*key_id, *grant_id, revision};
}

}  // namespace

std::string SealGrantToken(const Sealer& sealer, std::string_view store_id, const GrantToken& token,
                           RandomSource& random) {
  std::array<std::byte, 8> salt{};
  random.Fill(salt);
  std::string payload(kVersion);
  payload.append(" ").append(token.key_id.ToString());
  payload.append(" ").append(token.grant_id.ToString());
  payload.append(" ").append(std::to_string(token.visible_at));
  payload.append(" ").append(ToHex(salt));
  return sealer.Seal(Context(store_id), payload);
}

Result<GrantToken> OpenGrantToken(const Sealer& sealer, std::string_view store_id,
                                  std::string_view text) {
  std::optional<GrantToken> token;
  if (text.size() <= kMaxTokenBytes) {
    const std::optional<std::string> payload = sealer.Open(Context(store_id), text);
    if (payload) token = ParsePayload(*payload);
  }
  if (!token) {
    return Fail(Exception::kInvalidGrantTokenException,
                "The grant token is not valid: use it as CreateGrant returned it.");
  }
  return *token;
}

Result<Revision> RevisionToAwait(const Sealer& sealer, std::string_view store_id,
                                 std::span<const std::string_view> tokens, const KeyId& key_id) {
  Revision highest = 0;
  for (const std::string_view text : tokens) {
    HALLMARK_ASSIGN_OR_RETURN(const GrantToken token, OpenGrantToken(sealer, store_id, text));
    if (token.key_id == key_id) highest = std::max(highest, token.visible_at);
  }
  return highest;
}

}  // namespace hallmark
