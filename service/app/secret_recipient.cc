#include "service/app/secret_recipient.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <cstddef>

namespace hallmark::app {
namespace {

constexpr int kFewestBits = 2048;
constexpr int kMostBits = 4096;

struct FreeContext {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

const unsigned char* Chars(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

void SecretRecipient::Free::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

Result<SecretRecipient> SecretRecipient::Parse(ByteView der) {
  const unsigned char* next = Chars(der);
  SecretRecipient recipient(d2i_PUBKEY(nullptr, &next, static_cast<long>(der.size())));
  EVP_PKEY* key = recipient.key_.get();
  if (key == nullptr || EVP_PKEY_is_a(key, "RSA") != 1 || EVP_PKEY_get_bits(key) < kFewestBits ||
      EVP_PKEY_get_bits(key) > kMostBits) {
    return Fail(Exception::kValidationException,
                "RecipientPublicKey must be an RSA public key of 2048 to 4096 bits, as a DER "
                "SubjectPublicKeyInfo");
  }
  return recipient;
}

Result<std::string> SecretRecipient::Encrypt(const SecretBytes& secret) const {
  const ByteView plain = secret.RevealForHsm();
  const std::unique_ptr<EVP_PKEY_CTX, FreeContext> context(
      EVP_PKEY_CTX_new(key_.get(), /*engine=*/nullptr));
  std::size_t size = 0;
  std::string encrypted;
  const bool done =
      context != nullptr && EVP_PKEY_encrypt_init(context.get()) == 1 &&
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
      EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha256()) == 1 &&
      EVP_PKEY_encrypt(context.get(), nullptr, &size, Chars(plain), plain.size()) == 1 &&
      (encrypted.resize(size), true) &&
      EVP_PKEY_encrypt(context.get(), reinterpret_cast<unsigned char*>(encrypted.data()), &size,
                       Chars(plain), plain.size()) == 1;
  if (!done) {
    return Fail(Exception::kKMSInternalException, "The request could not be processed.",
                "RSA-OAEP failed");
  }
  encrypted.resize(size);
  return encrypted;
}

}  // namespace hallmark::app
