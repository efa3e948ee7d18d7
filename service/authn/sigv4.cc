#include "service/authn/sigv4.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <span>

namespace hallmark::authn {
namespace {

// Clients sign about ten; whoever sends more wants to keep us busy.
constexpr std::size_t kMaxSignedHeaders = 64;

Unexpected<Error> Incomplete(std::string message) {
  return Fail(Exception::kIncompleteSignatureException, std::move(message));
}

// The text before `separator`, which is taken off `rest` with it; all of it if there is none.
std::string_view TakeUntil(char separator, std::string_view* rest) {
  const std::size_t end = std::min(rest->find(separator), rest->size());
  const std::string_view taken = rest->substr(0, end);
  rest->remove_prefix(std::min(end + 1, rest->size()));
  return taken;
}

std::string_view WithoutOuterSpaces(std::string_view text) {
  constexpr std::string_view kSpaces = " \t";
  const std::size_t begin = std::min(text.find_first_not_of(kSpaces), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kSpaces) + 1);
}

struct Parts {
  std::optional<std::string_view> credential;
  std::optional<std::string_view> signed_headers;
  std::optional<std::string_view> signature;

  std::optional<std::string_view>* Named(std::string_view name) {
    if (name == "Credential") return &credential;
    if (name == "SignedHeaders") return &signed_headers;
    if (name == "Signature") return &signature;
    return nullptr;
  }
};

Result<Parts> ParseParts(std::string_view text) {
  Parts parts;
  bool more = !WithoutOuterSpaces(text).empty();
  while (more) {
    more = text.find(',') != std::string_view::npos;
    std::string_view value = WithoutOuterSpaces(TakeUntil(',', &text));
    if (value.find('=') == std::string_view::npos) {
      return Incomplete("The Authorization header holds what is not a valid key=value pair.");
    }
    std::optional<std::string_view>* const part = parts.Named(TakeUntil('=', &value));
    if (part == nullptr) {
      return Incomplete(
          "The Authorization header holds another parameter than 'Credential', 'SignedHeaders' "
          "and 'Signature'.");
    }
    if (part->has_value()) {
      return Incomplete("The Authorization header holds a parameter twice.");
    }
    *part = value;
  }
  std::string missing;
  for (const std::string_view name : {"Credential", "Signature", "SignedHeaders"}) {
    if (parts.Named(name)->value_or("").empty()) {
      missing.append(missing.empty() ? "" : " ").append("Authorization header requires '");
      missing.append(name).append("' parameter.");
    }
  }
  if (!missing.empty()) return Incomplete(std::move(missing));
  return parts;
}

Status ParseCredential(std::string_view text, SignatureClaim* claim) {
  if (std::count(text.begin(), text.end(), '/') != 4) {
    return Incomplete(
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term.");
  }
  for (std::string_view* element :
       {&claim->access_key_id, &claim->scope.day, &claim->scope.region, &claim->scope.service}) {
    *element = TakeUntil('/', &text);
  }
  claim->scope.terminator = text;
  return {};
}

// The characters of header names (RFC 9110, "token"), in lower case.
constexpr std::string_view kNamePunctuation = "!#$%&'*+-.^_`|~";

bool IsLowerCaseName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           kNamePunctuation.find(c) != std::string_view::npos;
  });
}

Status ParseSignedHeaders(std::string_view text, SignatureClaim* claim) {
  claim->signed_headers = text;
  bool more = true;
  while (more) {
    more = text.find(';') != std::string_view::npos;
    const std::string_view name = TakeUntil(';', &text);
    const bool in_order = claim->signed_names.empty() || claim->signed_names.back() < name;
    if (!IsLowerCaseName(name) || !in_order) {
      return Incomplete(
          "SignedHeaders must be names of headers in lower case and ascending order, each once, "
          "with semicolons between them.");
    }
    if (claim->signed_names.size() == kMaxSignedHeaders) {
      return Incomplete("SignedHeaders must not name more than " +
                        std::to_string(kMaxSignedHeaders) + " headers.");
    }
    claim->signed_names.push_back(name);
  }
  return {};
}

// A secret on its way to be a key.
class SecretText {
 public:
  // `capacity`: nothing is left behind by growing.
  explicit SecretText(std::size_t capacity) { text_.reserve(capacity); }
  ~SecretText() { OPENSSL_cleanse(text_.data(), text_.size()); }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;

  void Append(std::string_view text) { text_.append(text); }
  void AppendHex(ByteView bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const std::byte b : bytes) {
      text_ += kDigits[std::to_integer<std::size_t>(b >> 4U)];
      text_ += kDigits[std::to_integer<std::size_t>(b & std::byte{0x0f})];
    }
  }
  ByteView bytes() const { return AsBytes(text_); }

 private:
  std::string text_;
};

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

// To be copied, and given a key; null if OpenSSL has none.
EVP_MAC_CTX* NewHmacSha256() {
  const std::unique_ptr<EVP_MAC, FreeMac> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  std::unique_ptr<EVP_MAC_CTX, FreeMac> context(EVP_MAC_CTX_new(hmac.get()));
  std::string name = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
      OSSL_PARAM_construct_end()};
  if (context == nullptr || EVP_MAC_CTX_set_params(context.get(), parameters.data()) != 1) {
    return nullptr;
  }
  return context.release();
}

}  // namespace

Sha256Digest Sha256(std::string_view text) {
  // OpenSSL 3 looks up an algorithm by its name wherever it is not given one, under locks that all
  // threads share: for texts as short as ours that takes longer than the hash.
  static EVP_MD* const kAlgorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  Sha256Digest digest;
  unsigned int size = 0;
  if (kAlgorithm == nullptr ||
      EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                 kAlgorithm, nullptr) != 1 ||
      size != digest.size()) {
    // It had the algorithm when it was fetched, so it is memory that is short.
    if (kAlgorithm == nullptr) std::abort();
    throw std::bad_alloc();
  }
  return digest;
}

Sha256Digest HmacSha256(ByteView key, std::string_view text) {
  // Copied for each text, by which nothing is looked up.
  static const EVP_MAC_CTX* const kUnkeyed = NewHmacSha256();
  const std::unique_ptr<EVP_MAC_CTX, FreeMac> mac(kUnkeyed == nullptr ? nullptr
                                                                      : EVP_MAC_CTX_dup(kUnkeyed));
  Sha256Digest digest;
  std::size_t size = 0;
  if (mac == nullptr ||
      EVP_MAC_init(mac.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                   nullptr) != 1 ||
      EVP_MAC_update(mac.get(), reinterpret_cast<const unsigned char*>(text.data()), text.size()) !=
          1 ||
      EVP_MAC_final(mac.get(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                    digest.size()) != 1 ||
      size != digest.size()) {
    if (kUnkeyed == nullptr) std::abort();
    throw std::bad_alloc();
  }
  return digest;
}

Result<SignatureClaim> ParseAuthorization(std::string_view header) {
  header = WithoutOuterSpaces(header);
  if (!header.starts_with("AWS4-")) {
    return Fail(Exception::kMissingAuthenticationTokenException,
                "Request is missing Authentication Token");
  }
  if (TakeUntil(' ', &header) != kSigningAlgorithm) {
    return Incomplete("Unsupported AWS 'algorithm' (only AWS4-HMAC-SHA256 for now).");
  }
  HALLMARK_ASSIGN_OR_RETURN(const Parts parts, ParseParts(header));
  SignatureClaim claim;
  HALLMARK_RETURN_IF_ERROR(ParseCredential(*parts.credential, &claim));
  HALLMARK_RETURN_IF_ERROR(ParseSignedHeaders(*parts.signed_headers, &claim));
  claim.signature = *parts.signature;
  return claim;
}

bool Signs(const SignatureClaim& claim, std::string_view name) {
  return std::binary_search(claim.signed_names.begin(), claim.signed_names.end(), name);
}

std::string StringToSign(std::string_view timestamp, const CredentialScope& scope,
                         std::string_view canonical_request) {
  std::string text(kSigningAlgorithm);
  text.append("\n").append(timestamp).append("\n").append(scope.day);
  for (const std::string_view part : {scope.region, scope.service, scope.terminator}) {
    text.append("/").append(part);
  }
  return text.append("\n").append(ToHex(Sha256(canonical_request)));
}

SecretBytes DeriveSigningKey(const SecretBytes& secret, std::string_view day,
                             std::string_view region, std::string_view service) {
  constexpr std::string_view kPrefix = "AWS4";
  SecretText text(kPrefix.size() + 2 * secret.size());
  text.Append(kPrefix);
  text.AppendHex(secret.RevealForHsm());
  Sha256Digest key = HmacSha256(text.bytes(), day);
  for (const std::string_view part : {region, service, kScopeTerminator}) {
    Sha256Digest next = HmacSha256(key, part);
    key = next;
    OPENSSL_cleanse(next.data(), next.size());
  }
  SecretBytes kept(key);
  OPENSSL_cleanse(key.data(), key.size());
  return kept;
}

}  // namespace hallmark::authn
