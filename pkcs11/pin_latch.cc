#include "pkcs11/pin_latch.h"

#include "keystate/bytes.h"
#include "pkcs11/durable_file.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <system_error>

namespace hallmark::pkcs11 {
namespace {

constexpr std::string_view kFormat = "hallmark-pin-latch-1";

using Hash = std::array<std::byte, 32>;

// PINs are short: the hash is made slow (some 50 ms and 16 MiB) so that the file gives little away.
std::optional<Hash> SlowHash(const SecretBytes& pin, ByteView salt) {
  std::uint64_t cost = 1 << 14;
  std::uint32_t block = 8;
  std::uint32_t lanes = 1;
  std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(EVP_KDF_fetch(nullptr, "SCRYPT", nullptr),
                                                        &EVP_KDF_free);
  if (kdf == nullptr) return std::nullopt;
  std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(EVP_KDF_CTX_new(kdf.get()),
                                                                    &EVP_KDF_CTX_free);
  if (context == nullptr) return std::nullopt;
  const ByteView secret = pin.RevealForHsm();
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD,
                                        const_cast<std::byte*>(secret.data()), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, const_cast<std::byte*>(salt.data()),
                                        salt.size()),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &cost),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &block),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &lanes),
      OSSL_PARAM_construct_end(),
  };
  Hash hash;
  if (EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                     parameters) != 1) {
    return std::nullopt;
  }
  return hash;
}

}  // namespace

PinLatch::PinLatch(const std::filesystem::path& directory, const std::string& token_id,
                   const Salt& salt)
    : file_((directory.empty() ? std::filesystem::path(".") : directory) /
            ("pin-refused-" + token_id)),
      salt_(salt) {}

PinLatch::Verdict PinLatch::Judge(const SecretBytes& pin) const {
  std::error_code error;
  const auto status = std::filesystem::status(file_, error);
  if (status.type() == std::filesystem::file_type::not_found) return Verdict::kOpen;
  std::ifstream in(file_);
  std::string format;
  std::string salt_hex;
  std::string hash_hex;
  if (!(in >> format >> salt_hex >> hash_hex) || format != kFormat) return Verdict::kUnreadable;
  const std::optional<Bytes> salt = FromHex(salt_hex);
  const std::optional<Bytes> refused = FromHex(hash_hex);
  if (!salt || !refused) return Verdict::kUnreadable;
  const std::optional<Hash> hash = SlowHash(pin, *salt);
  if (!hash) return Verdict::kUnreadable;
  return EqualInConstantTime(*hash, *refused) ? Verdict::kSamePin : Verdict::kChangedPin;
}

Result<void, std::string> PinLatch::Set(const SecretBytes& pin) const {
  const std::optional<Hash> hash = SlowHash(pin, salt_);
  const std::string text = std::string(kFormat) + " " + ToHex(salt_) + " " +
                           (hash ? ToHex(*hash) : std::string("unknown")) + "\n";
  return WriteDurably(file_, text);
}

bool PinLatch::Writable() const { return ::access(file_.parent_path().c_str(), W_OK | X_OK) == 0; }

void PinLatch::Drop() const {
  std::error_code error;  // a latch that stays matches a PIN that is no longer used
  std::filesystem::remove(file_, error);
}

}  // namespace hallmark::pkcs11
