// Receiving a secret: the service encrypts it for a key that lives as long as the command.
#pragma once

#include "keystate/result.h"

#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>

namespace hallmark::cli {

// A key pair that is never stored.
class SecretReceipt {
 public:
  // Errors (both): one line.
  static Result<SecretReceipt, std::string> Make();
  // What was encrypted by RSA-OAEP with SHA-256 for public_key().
  Result<std::string, std::string> Open(std::string_view encrypted) const;

  // A DER SubjectPublicKeyInfo.
  const std::string& public_key() const { return public_key_; }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const;
  };
  explicit SecretReceipt(EVP_PKEY* key) : key_(key) {}

  std::unique_ptr<EVP_PKEY, Free> key_;
  std::string public_key_;
};

}  // namespace hallmark::cli
