#include "service/cli/secret_receipt.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <cstddef>

namespace hallmark::cli {
namespace {

constexpr unsigned kBits = 2048;

struct FreeContext {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

}  // namespace

void SecretReceipt::Free::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

Result<SecretReceipt, std::string> SecretReceipt::Make() {
  SecretReceipt receipt(EVP_RSA_gen(kBits));
  unsigned char* der = nullptr;
  const int size = receipt.key_ == nullptr ? -1 : i2d_PUBKEY(receipt.key_.get(), &der);
  if (size <= 0) return Unexpected(std::string("OpenSSL could not make a key pair"));
  receipt.public_key_.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return receipt;
}

Result<std::string, std::string> SecretReceipt::Open(std::string_view encrypted) const {
  const std::unique_ptr<EVP_PKEY_CTX, FreeContext> context(
      EVP_PKEY_CTX_new(key_.get(), /*engine=*/nullptr));
  const auto* in = reinterpret_cast<const unsigned char*>(encrypted.data());
  std::string secret(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
  std::size_t size = secret.size();
  const bool opened =
      context != nullptr && EVP_PKEY_decrypt_init(context.get()) == 1 &&
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
      EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha256()) == 1 &&
      EVP_PKEY_decrypt(context.get(), reinterpret_cast<unsigned char*>(secret.data()), &size, in,
                       encrypted.size()) == 1;
  if (!opened) return Unexpected(std::string("the secret that the service sent cannot be read"));
  secret.resize(size);
  return secret;
}

}  // namespace hallmark::cli
