#include "service/app/sha256.h"

#include "keystate/bytes.h"

#include <openssl/evp.h>

#include <array>
#include <cstdlib>

namespace hallmark::app {

std::string Sha256Hex(std::string_view text) {
  std::array<std::byte, 32> digest{};
  unsigned size = 0;
  // Fails only when the library itself is broken.
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                 EVP_sha256(), nullptr) != 1) {
    std::abort();
  }
  return ToHex(digest);
}

}  // namespace hallmark::app
