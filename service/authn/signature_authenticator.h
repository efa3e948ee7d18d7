// Who is calling, told by the AWS Signature Version 4 of the request.
#pragma once

#include "keystate/principal_directory.h"
#include "keystate/result.h"
#include "service/authn/signed_request.h"
#include "service/authn/signing_time.h"
#include "service/authn/sigv4.h"

#include <memory>
#include <string>

namespace hallmark::authn {

struct SignedCaller {
  std::shared_ptr<const Principal> principal;
  // By which the principal was found.
  std::string access_key_id;
  // With what the request was signed, and when.
  Sha256Digest signature{};
  SigningTime signed_at{};
};

// Thread-safety: every method may be called from any thread.
class SignatureAuthenticator {
 public:
  virtual ~SignatureAuthenticator() = default;

  // Errors: the exceptions for missing, incomplete, wrong and expired signatures, and
  //   UnrecognizedClientException for an access key that nobody has.
  virtual Result<SignedCaller> Authenticate(const SignedRequest& request) = 0;

  // For operations that change something: a signature counts once.
  //
  // Errors: ThrottlingException when it was used before, or when nobody can tell.
  virtual Status CountOnce(const SignedCaller& caller) = 0;
};

}  // namespace hallmark::authn
