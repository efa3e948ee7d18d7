// Who is calling, told by the AWS Signature Version 4 of the request.
#pragma once

#include "keystate/principal_directory.h"
#include "keystate/result.h"
#include "service/authn/signed_request.h"

#include <memory>
#include <string>

namespace hallmark::authn {

struct SignedCaller {
  std::shared_ptr<const Principal> principal;
  // By which the principal was found.
  std::string access_key_id;
};

// Thread-safety: every method may be called from any thread.
class SignatureAuthenticator {
 public:
  virtual ~SignatureAuthenticator() = default;

  // `mutates`: the operation changes something, so that a signature counts once.
  //
  // Errors: the exceptions for missing, incomplete, wrong and expired signatures, and
  //   UnrecognizedClientException for an access key that nobody has.
  virtual Result<SignedCaller> Authenticate(const SignedRequest& request, bool mutates) = 0;
};

}  // namespace hallmark::authn
