#include "pkcs11/anchor_sealer.h"

#include "keystate/bytes.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace hallmark::pkcs11 {
namespace {

// base64url(version ‖ payload ‖ first 16 bytes of the HMAC-SHA-256 of everything before it)
constexpr char kVersion = 1;
constexpr std::size_t kTagBytes = 16;

std::string EncodeBase64Url(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // EVP_EncodeBlock ends with a NUL
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  text.erase(text.find_last_not_of('=') + 1);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  std::string padded(text);
  for (char& c : padded) c = c == '-' ? '+' : c == '_' ? '/' : c;
  const std::size_t padding = (4 - padded.size() % 4) % 4;
  padded.append(padding, '=');
  std::string bytes(padded.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(padded.data()),
                                   static_cast<int>(padded.size()));
  if (size < 0 || padding == 3) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(size) - padding);
  // OpenSSL skips white space and ignores stray bits: one text per sealed payload, no more.
  if (EncodeBase64Url(bytes) != text) return std::nullopt;
  return bytes;
}

class AnchorSealer final : public Sealer {
 public:
  explicit AnchorSealer(SecretBytes key) : key_(std::move(key)) {}

  std::string Seal(std::string_view context, std::string_view payload) const override {
    std::string bytes;
    bytes.reserve(1 + payload.size() + kTagBytes);
    bytes.push_back(kVersion);
    bytes.append(payload);
    bytes.append(Tag(context, bytes));
    return EncodeBase64Url(bytes);
  }

  std::optional<std::string> Open(std::string_view context,
                                  std::string_view sealed) const override {
    // Nothing of ours is near this long; a stranger's text is not decoded at any length.
    constexpr std::size_t kMaxSealedBytes = 64 * 1024;
    if (sealed.size() > kMaxSealedBytes) return std::nullopt;
    std::optional<std::string> bytes = DecodeBase64Url(sealed);
    if (!bytes || bytes->size() < 1 + kTagBytes || bytes->front() != kVersion) return std::nullopt;
    const std::string tag = bytes->substr(bytes->size() - kTagBytes);
    bytes->resize(bytes->size() - kTagBytes);
    if (!EqualInConstantTime(AsBytes(Tag(context, *bytes)), AsBytes(tag))) return std::nullopt;
    bytes->erase(0, 1);
    return bytes;
  }

  SecretBytes DeriveSecret(std::string_view context) const override {
    Digest secret = Hmac("derive:" + std::string(context));
    SecretBytes kept(std::as_bytes(std::span(secret)));
    OPENSSL_cleanse(secret.data(), secret.size());
    return kept;
  }

 private:
  using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

  // A seal's input begins with a digit, a derivation's with "derive:", so neither can stand for the
  // other.
  std::string Tag(std::string_view context, std::string_view versioned_payload) const {
    // The size in front keeps ("ab", "c") apart from ("a", "bc").
    std::string input = std::to_string(context.size()) + ":";
    input.append(context).append(versioned_payload);
    const Digest digest = Hmac(input);
    return {reinterpret_cast<const char*>(digest.data()), kTagBytes};
  }

  Digest Hmac(std::string_view input) const {
    const ByteView key = key_.RevealForHsm();
    Digest digest;
    unsigned int size = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(input.data()), input.size(), digest.data(),
             &size) == nullptr) {
      std::abort();  // out of memory, or no SHA-256 in the library
    }
    return digest;
  }

  SecretBytes key_;
};

}  // namespace

std::unique_ptr<Sealer> MakeAnchorSealer(SecretBytes key) {
  return std::make_unique<AnchorSealer>(std::move(key));
}

}  // namespace hallmark::pkcs11
