#include "keystate/policy/malformed.h"

namespace hallmark {

Unexpected<Error> MalformedPolicy(const std::string& place, const std::string& reason) {
  return Fail(Exception::kMalformedPolicyDocumentException, place + ": " + reason);
}

std::string Quoted(std::string_view text) {
  constexpr std::size_t kMaxBytes = 64;
  if (text.size() <= kMaxBytes) return "'" + std::string(text) + "'";
  std::size_t end = kMaxBytes;
  // Not in the middle of a character.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return "'" + std::string(text.substr(0, end)) + "...'";
}

}  // namespace hallmark
