// Secrets leave the service encrypted for who asked: a buffer on the way, or a core dump, holds
// nothing that can be read.
#pragma once

#include "keystate/bytes.h"
#include "keystate/result.h"
#include "keystate/secret.h"

#include <openssl/types.h>

#include <memory>
#include <string>

namespace hallmark::app {

// The public key of a caller who wants to be told a secret.
class SecretRecipient {
 public:
  // `der` is a SubjectPublicKeyInfo.
  //
  // Errors: ValidationException when it is no RSA key of 2048 to 4096 bits.
  static Result<SecretRecipient> Parse(ByteView der);

  // The secret by RSA-OAEP with SHA-256.
  Result<std::string> Encrypt(const SecretBytes& secret) const;

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const;
  };
  explicit SecretRecipient(EVP_PKEY* key) : key_(key) {}

  std::unique_ptr<EVP_PKEY, Free> key_;
};

}  // namespace hallmark::app
