#include "keystate/policy/malformed.h"

namespace hallmark {

Unexpected<Error> MalformedPolicy(const std::string& place, const std::string& reason) {
  return Fail(Exception::kMalformedPolicyDocumentException, place + ": " + reason);
}

std::string Shortened(std::string_view text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return std::string(text);
  std::size_t end = most_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::string Quoted(std::string_view text) {
  constexpr std::size_t kMaxBytes = 64;
  return "'" + Shortened(text, kMaxBytes) + "'";
}

}  // namespace hallmark
