#include "service/authn/sigv4_authenticator.h"

#include "keystate/bytes.h"
#include "service/authn/canonical_request.h"
#include "service/authn/signing_time.h"
#include "service/authn/sigv4.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace hallmark::authn {
namespace {

Unexpected<Error> Incomplete(std::string message) {
  return Fail(Exception::kIncompleteSignatureException, std::move(message));
}

Unexpected<Error> Invalid(std::string message, std::string detail = {}) {
  return Fail(Exception::kInvalidSignatureException, std::move(message), std::move(detail));
}

// For the log: people paste secrets into the wrong place, so only what looks like an access key id.
std::string ShownAccessKey(std::string_view sent) {
  constexpr std::size_t kLongest = 32;
  const bool looks_like_one =
      sent.size() <= kLongest && std::all_of(sent.begin(), sent.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      });
  return looks_like_one ? std::string(sent) : "of " + std::to_string(sent.size()) + " characters";
}

Result<SignatureClaim> ReadClaim(const SignedRequest& request) {
  std::string_view header;
  const std::size_t headers = FindHeader(request, "authorization", &header);
  if (HoldsSignature(QueryOf(request.target))) {
    if (headers > 0) {
      return Invalid(
          "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP "
          "header.");
    }
    return Fail(Exception::kMissingAuthenticationTokenException,
                "Presigned requests are not served: sign in the Authorization header, not in the "
                "query string.");
  }
  if (headers > 1) return Incomplete("The request has more than one 'Authorization' header.");
  return ParseAuthorization(header);
}

struct Dating {
  std::string_view header;  // that tells the time, in lower case
  SigningTime signed_at;
};

Result<Dating> ReadTime(const SignedRequest& request) {
  std::string_view text;
  if (const std::size_t count = FindHeader(request, "x-amz-date", &text); count > 0) {
    const auto time = count == 1 ? ParseBasicTime(text) : std::nullopt;
    if (!time) {
      return Incomplete(
          "Date must be in ISO-8601 'basic format', once, as in 20261122T120000Z. See "
          "http://en.wikipedia.org/wiki/ISO_8601");
    }
    return Dating{"x-amz-date", *time};
  }
  const std::size_t count = FindHeader(request, "date", &text);
  if (count == 0) {
    return Incomplete(
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  auto time = ParseHttpDate(text);
  if (!time) time = ParseBasicTime(text);
  if (!time || count > 1) return Incomplete("The 'Date' header must be one date of HTTP.");
  return Dating{"date", *time};
}

Status CheckWindow(SigningTime signed_at, WallTime now) {
  constexpr auto kWindow = SigV4Authenticator::kWindow;
  const bool expired = signed_at + kWindow < now;
  if (!expired && signed_at <= now + kWindow) return {};
  const SigningTime ours = std::chrono::floor<std::chrono::seconds>(now);
  const std::string sent = FormatBasicTime(signed_at);
  if (expired) {
    return Invalid("Signature expired: " + sent + " is now earlier than " +
                   FormatBasicTime(ours - kWindow) + " (" + FormatBasicTime(ours) + " - 5 min.)");
  }
  return Invalid("Signature not yet current: " + sent + " is still later than " +
                 FormatBasicTime(ours + kWindow) + " (" + FormatBasicTime(ours) + " + 5 min.)");
}

Status CheckSignedHeaders(const SignedRequest& request, const SignatureClaim& claim,
                          std::string_view date_header) {
  std::string_view value;
  if (FindHeader(request, "host", &value) != 1) {
    return Incomplete("The request must have one 'Host' header.");
  }
  if (!Signs(claim, "host")) {
    return Invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  if (!Signs(claim, date_header)) {
    const bool amz = date_header == "x-amz-date";
    return Invalid(std::string(amz ? "'X-Amz-Date'" : "'Date'") +
                   " must be a 'SignedHeader' in the AWS Authorization.");
  }
  // It says what is to be done: the body alone could be used with another operation.
  if (FindHeader(request, "x-amz-target", &value) > 0 && !Signs(claim, "x-amz-target")) {
    return Invalid("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.");
  }
  return {};
}

// Signing a hash instead of the body is for S3.
Status CheckPayload(const SignedRequest& request, std::string_view payload_hash) {
  for (const HttpHeader& header : request.headers) {
    if (IsNamed(header, "x-amz-content-sha256") && header.value != payload_hash) {
      return Invalid(
          "The provided 'x-amz-content-sha256' header does not match what was computed.");
    }
  }
  return {};
}

// For a message: nothing that could be a misplaced secret or forge a line.
std::string Quoted(std::string_view sent) {
  constexpr std::size_t kLongestRegion = 32;
  const bool plain =
      sent.size() <= kLongestRegion && std::all_of(sent.begin(), sent.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
      });
  return plain ? "'" + std::string(sent) + "'" : std::string("what was sent");
}

bool IsEqual(std::string_view sent, std::string_view computed) {
  return sent.size() == computed.size() &&
         CRYPTO_memcmp(sent.data(), computed.data(), computed.size()) == 0;
}

}  // namespace

SigV4Authenticator::SigV4Authenticator(SigV4Options options, const PrincipalDirectory& principals,
                                       const Sealer& sealer, SignatureMarks& marks,
                                       const Clock& clock)
    : options_(std::move(options)),
      principals_(principals),
      clock_(clock),
      keys_(sealer, options_.region, std::string(kService), options_.max_signing_keys),
      replays_(options_.replay, kWindow, marks) {}

Status SigV4Authenticator::CheckScope(const CredentialScope& scope, SigningTime signed_at) const {
  std::string wrong;
  const auto add = [&wrong](const std::string& sentence) {
    wrong.append(wrong.empty() ? "" : " ").append(sentence);
  };
  if (scope.region != options_.region) {
    add("Credential should be scoped to a valid region, not " + Quoted(scope.region) +
        ". This endpoint is of '" + options_.region + "'.");
  }
  if (scope.service != kService) {
    add("Credential should be scoped to correct service: '" + std::string(kService) + "'.");
  }
  if (scope.terminator != kScopeTerminator) {
    add("Credential should be scoped with a valid terminator: '" + std::string(kScopeTerminator) +
        "', not " + Quoted(scope.terminator) + ".");
  }
  const std::string day = FormatBasicDay(std::chrono::floor<std::chrono::days>(signed_at));
  if (scope.day != day) {
    add("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
        "HTTP: " +
        Quoted(scope.day) + " != '" + day + "', from '" + FormatBasicTime(signed_at) + "'.");
  }
  if (wrong.empty()) return {};
  return Invalid(std::move(wrong));
}

void SigV4Authenticator::ReportMismatch(const SignedRequest& request, const SignatureClaim& claim,
                                        std::string_view payload_hash,
                                        std::string_view string_to_sign) const {
  if (!options_.wants_mismatch()) return;
  const auto shown = CanonicalRequest(request, claim, payload_hash, Audience::kLog);
  if (shown) options_.on_mismatch({claim.access_key_id, *shown, string_to_sign});
}

Result<SignedCaller> SigV4Authenticator::Authenticate(const SignedRequest& request) {
  HALLMARK_ASSIGN_OR_RETURN(const SignatureClaim claim, ReadClaim(request));
  HALLMARK_ASSIGN_OR_RETURN(const Dating dating, ReadTime(request));
  const WallTime now = clock_.Now();
  HALLMARK_RETURN_IF_ERROR(CheckWindow(dating.signed_at, now));
  HALLMARK_RETURN_IF_ERROR(CheckSignedHeaders(request, claim, dating.header));
  HALLMARK_RETURN_IF_ERROR(CheckScope(claim.scope, dating.signed_at));

  // At every request, so that a removed access key stops at once.
  auto principal = principals_.FindByAccessKey(claim.access_key_id);
  if (principal == nullptr) keys_.Forget(claim.access_key_id);
  std::string_view token;
  // We issue no temporary credentials: a token that limits its bearer must not be ignored.
  if (principal == nullptr || FindHeader(request, "x-amz-security-token", &token) > 0) {
    return Fail(Exception::kUnrecognizedClientException,
                "The security token included in the request is invalid.",
                "access key " + ShownAccessKey(claim.access_key_id));
  }

  const std::string payload_hash = ToHex(Sha256(request.body));
  HALLMARK_RETURN_IF_ERROR(CheckPayload(request, payload_hash));
  HALLMARK_ASSIGN_OR_RETURN(const std::string canonical,
                            CanonicalRequest(request, claim, payload_hash));
  const std::string to_sign =
      StringToSign(FormatBasicTime(dating.signed_at), claim.scope, canonical);
  const auto key =
      keys_.Get(claim.access_key_id, std::chrono::floor<std::chrono::days>(dating.signed_at),
                std::chrono::floor<std::chrono::days>(now));
  const Sha256Digest signature = HmacSha256(key->RevealForHsm(), to_sign);
  if (!IsEqual(claim.signature, ToHex(signature))) {
    ReportMismatch(request, claim, payload_hash, to_sign);
    return Invalid(
        "The request signature we calculated does not match the signature you provided. Check "
        "your AWS Secret Access Key and signing method. Consult the service documentation for "
        "details.",
        "access key " + std::string(claim.access_key_id) + " of " + principal->record.arn.text());
  }
  return SignedCaller{std::move(principal), std::string(claim.access_key_id), signature,
                      dating.signed_at};
}

Status SigV4Authenticator::CountOnce(const SignedCaller& caller) {
  if (options_.allow_replay) return {};
  return replays_.Admit(caller.access_key_id, caller.signature, caller.signed_at, clock_.Now());
}

}  // namespace hallmark::authn
