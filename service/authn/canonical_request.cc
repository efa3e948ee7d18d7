#include "service/authn/canonical_request.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace hallmark::authn {
namespace {

char LowerCase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Unexpected<Error> Invalid(std::string message) {
  return Fail(Exception::kInvalidSignatureException, std::move(message));
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

void AppendEncoded(std::string_view text, std::string* out) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    if (IsUnreserved(c)) {
      *out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      *out += '%';
      *out += kDigits[byte >> 4U];
      *out += kDigits[byte & 0x0fU];
    }
  }
}

std::optional<unsigned> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  c = LowerCase(c);
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  return std::nullopt;
}

std::optional<std::string> Decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const auto high = HexDigit(text[i + 1]);
    const auto low = HexDigit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    decoded += static_cast<char>(static_cast<unsigned char>(*high << 4U | *low));
    i += 2;
  }
  return decoded;
}

// Calls `visit` with what stands between separators, empty pieces left out, until it says false.
template <class Visit>
void ForEachPiece(std::string_view text, char separator, const Visit& visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0 && !visit(text.substr(0, end))) return;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// Appends the value without outer white space, and with one space for each inner one.
void AppendCollapsed(std::string_view value, std::string* out) {
  const std::size_t begin = out->size();
  bool space = false;
  for (const char c : value) {
    if (c == ' ' || c == '\t') {
      space = true;
      continue;
    }
    if (space && out->size() > begin) *out += ' ';
    space = false;
    *out += c;
  }
}

bool MayBeLogged(std::string_view name) {
  constexpr std::array<std::string_view, 10> kKnown = {"amz-sdk-invocation-id",
                                                       "amz-sdk-request",
                                                       "content-encoding",
                                                       "content-length",
                                                       "content-type",
                                                       "date",
                                                       "host",
                                                       "x-amz-content-sha256",
                                                       "x-amz-date",
                                                       "x-amz-target"};
  return std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end();
}

// Appends "name:value,value\n"; says whether the request has the header at all.
bool AppendHeader(const SignedRequest& request, std::string_view name, Audience audience,
                  std::string* out) {
  out->append(name).append(":");
  bool found = false;
  for (const HttpHeader& header : request.headers) {
    if (!IsNamed(header, name)) continue;
    if (found) *out += ',';
    found = true;
    if (audience == Audience::kSignature || MayBeLogged(name)) {
      AppendCollapsed(header.value, out);
    } else {
      out->append("<").append(std::to_string(header.value.size())).append(" bytes>");
    }
  }
  *out += '\n';
  return found;
}

}  // namespace

bool IsNamed(const HttpHeader& header, std::string_view lower_case_name) {
  return header.name.size() == lower_case_name.size() &&
         std::equal(header.name.begin(), header.name.end(), lower_case_name.begin(),
                    [](char sent, char lower) { return LowerCase(sent) == lower; });
}

std::size_t FindHeader(const SignedRequest& request, std::string_view lower_case_name,
                       std::string_view* value) {
  std::size_t count = 0;
  for (const HttpHeader& header : request.headers) {
    if (IsNamed(header, lower_case_name) && ++count == 1) *value = header.value;
  }
  return count;
}

std::string_view PathOf(std::string_view target) { return target.substr(0, target.find('?')); }

std::string_view QueryOf(std::string_view target) {
  return target.substr(std::min(PathOf(target).size() + 1, target.size()));
}

std::string CanonicalPath(std::string_view path) {
  std::vector<std::string_view> segments;
  ForEachPiece(path, '/', [&](std::string_view segment) {
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (segment != ".") {
      segments.push_back(segment);
    }
    return true;
  });
  std::string canonical;
  for (const std::string_view segment : segments) {
    canonical += '/';
    AppendEncoded(segment, &canonical);
  }
  if (segments.empty() || path.ends_with('/')) canonical += '/';
  return canonical;
}

Result<std::string> CanonicalQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  bool well_formed = true;
  ForEachPiece(query, '&', [&](std::string_view pair) {
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto name = Decode(pair.substr(0, equals));
    const auto value = Decode(pair.substr(std::min(equals + 1, pair.size())));
    well_formed = name && value;
    if (!well_formed) return false;
    auto& encoded = pairs.emplace_back();
    AppendEncoded(*name, &encoded.first);
    AppendEncoded(*value, &encoded.second);
    return true;
  });
  if (!well_formed) return Invalid("The query string is malformed.");
  std::sort(pairs.begin(), pairs.end());
  std::string canonical;
  for (const auto& [name, value] : pairs) {
    if (!canonical.empty()) canonical += '&';
    canonical.append(name).append("=").append(value);
  }
  return canonical;
}

bool HoldsSignature(std::string_view query) {
  bool found = false;
  ForEachPiece(query, '&', [&](std::string_view pair) {
    std::string name = Decode(pair.substr(0, pair.find('='))).value_or("");
    std::transform(name.begin(), name.end(), name.begin(), LowerCase);
    found = name == "x-amz-algorithm" || name == "x-amz-credential" || name == "x-amz-signature";
    return !found;
  });
  return found;
}

Result<std::string> CanonicalRequest(const SignedRequest& request, const SignatureClaim& claim,
                                     std::string_view payload_hash, Audience audience) {
  HALLMARK_ASSIGN_OR_RETURN(const std::string query, CanonicalQuery(QueryOf(request.target)));
  std::string canonical(request.method);
  canonical.append("\n").append(CanonicalPath(PathOf(request.target)));
  canonical.append("\n").append(query).append("\n");
  for (const std::string_view name : claim.signed_names) {
    if (!AppendHeader(request, name, audience, &canonical)) {
      return Invalid("SignedHeaders name a header that the request does not have.");
    }
  }
  canonical.append("\n").append(claim.signed_headers);
  canonical.append("\n").append(payload_hash);
  return canonical;
}

}  // namespace hallmark::authn
