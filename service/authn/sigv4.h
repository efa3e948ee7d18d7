// AWS Signature Version 4 without state: what a request says of its signature, and what the
// signature must be.
//
// Source: IAM user guide, "Create a signed AWS API request".
#pragma once

#include "keystate/bytes.h"
#include "keystate/result.h"
#include "keystate/secret.h"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::authn {

inline constexpr std::string_view kSigningAlgorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kScopeTerminator = "aws4_request";

using Sha256Digest = std::array<std::byte, 32>;

Sha256Digest Sha256(std::string_view text);
Sha256Digest HmacSha256(ByteView key, std::string_view text);

// For what and when a signing key is good.
struct CredentialScope {
  std::string_view day;  // "20261122"
  std::string_view region;
  std::string_view service;
  std::string_view terminator;  // kScopeTerminator, or the signature is not for us
};

// The Authorization header, taken apart. Borrows from it.
struct SignatureClaim {
  std::string_view access_key_id;
  CredentialScope scope;
  // Lower-case names in ascending order, each once: "host;x-amz-date".
  std::string_view signed_headers;
  std::vector<std::string_view> signed_names;
  // As sent; only a comparison says whether it is one.
  std::string_view signature;
};

// `header` is the value of the Authorization header. Its three parts may stand in any order; none
// may be missing, unknown or there twice. What was sent is not repeated in refusals: people paste
// secrets into the wrong place.
//
// Errors: MissingAuthenticationTokenException when it is of another scheme than Signature Version
//   4; IncompleteSignatureException when it is not well formed, or of another algorithm.
Result<SignatureClaim> ParseAuthorization(std::string_view header);

// `name` in lower case.
bool Signs(const SignatureClaim& claim, std::string_view name);

// `timestamp` in ISO 8601's basic format.
std::string StringToSign(std::string_view timestamp, const CredentialScope& scope,
                         std::string_view canonical_request);

// `secret` is what the access key's secret is made of: clients sign with its hexadecimal text.
SecretBytes DeriveSigningKey(const SecretBytes& secret, std::string_view day,
                             std::string_view region, std::string_view service);

}  // namespace hallmark::authn
