// The one text that both sides of AWS Signature Version 4 make of a request.
//
// Source: IAM user guide, "Create a signed AWS API request", step 1; for every service but S3.
#pragma once

#include "keystate/result.h"
#include "service/authn/signed_request.h"
#include "service/authn/sigv4.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace hallmark::authn {

// Header names know no case.
bool IsNamed(const HttpHeader& header, std::string_view lower_case_name);

// How often the header is there; `value` becomes that of the first.
std::size_t FindHeader(const SignedRequest& request, std::string_view lower_case_name,
                       std::string_view* value);

// The target, split at its first question mark.
std::string_view PathOf(std::string_view target);
std::string_view QueryOf(std::string_view target);

// Without dot segments and empty ones, then encoded once more: what was sent is encoded already.
std::string CanonicalPath(std::string_view path);

// Names and values decoded (a plus is a space), encoded anew, and sorted by both.
//
// Errors: InvalidSignatureException when a percent sign begins no encoded byte.
Result<std::string> CanonicalQuery(std::string_view query);

// Whether the query holds a signature itself, as presigned requests have it.
bool HoldsSignature(std::string_view query);

// Whose eyes a canonical request is for.
enum class Audience {
  kSignature,
  // Of headers that may hold anything (cookies, tokens) only the size is shown.
  kLog,
};

// `payload_hash` is the SHA-256 of the body, in lower-case hexadecimal.
//
// Errors: InvalidSignatureException when the query is malformed, or a signed header is not there.
Result<std::string> CanonicalRequest(const SignedRequest& request, const SignatureClaim& claim,
                                     std::string_view payload_hash,
                                     Audience audience = Audience::kSignature);

}  // namespace hallmark::authn
