#include "keystate/spiffe_id.h"

#include <algorithm>

namespace hallmark {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr std::size_t kMaxTrustDomain = 255;

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsMark(char c) { return c == '.' || c == '-' || c == '_'; }

bool IsSegment(std::string_view segment) {
  return !segment.empty() && segment != "." && segment != ".." &&
         std::all_of(segment.begin(), segment.end(), [](char c) {
           return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || IsMark(c);
         });
}

Unexpected<Error> Malformed(std::string_view text, const char* reason) {
  return Fail(Exception::kValidationException,
              "SPIFFE ID '" + std::string(text.substr(0, SpiffeId::kMaxBytes)) + "' " + reason);
}

}  // namespace

bool SpiffeId::IsTrustDomain(std::string_view name) {
  return !name.empty() && name.size() <= kMaxTrustDomain &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return IsLowerOrDigit(c) || IsMark(c); });
}

Result<SpiffeId> SpiffeId::Parse(std::string_view text) {
  if (text.size() > kMaxBytes) return Malformed(text, "is longer than 2048 bytes");
  if (!text.starts_with(kScheme)) return Malformed(text, "does not begin with spiffe://");
  const std::string_view rest = text.substr(kScheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  if (!IsTrustDomain(rest.substr(0, slash))) {
    return Malformed(text, "has no trust domain of small letters, digits, \".\", \"-\" and \"_\"");
  }
  std::string_view path = rest.substr(slash);
  if (path.empty()) return Malformed(text, "names a trust domain, not a workload in it");
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    if (!IsSegment(path.substr(0, end))) {
      return Malformed(text, "has a path with an empty segment or a character that SPIFFE forbids");
    }
    path.remove_prefix(end);
  }
  return SpiffeId(std::string(text));
}

std::string_view SpiffeId::trust_domain() const {
  const std::string_view rest = std::string_view(text_).substr(kScheme.size());
  return rest.substr(0, rest.find('/'));
}

}  // namespace hallmark
