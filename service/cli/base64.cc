#include "service/cli/base64.h"

#include <openssl/evp.h>

#include <algorithm>
#include <limits>

namespace hallmark::cli {
namespace {

// OpenSSL counts in int and in unsigned char.
const unsigned char* Data(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Data(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  // One more for the zero that OpenSSL puts at the end.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int written = EVP_EncodeBlock(Data(text), Data(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(written));
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  constexpr auto kMax = static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (text.size() % 4 != 0 || text.size() > kMax) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(Data(bytes), Data(text), static_cast<int>(text.size())) < 0) {
    return std::nullopt;
  }
  const auto padding = std::count(text.begin(), text.end(), '=');
  if (padding > 2) return std::nullopt;
  bytes.resize(bytes.size() - static_cast<std::size_t>(padding));
  // OpenSSL overlooks white space at the ends, misplaced padding and stray bits; encoding tells.
  if (EncodeBase64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace hallmark::cli
