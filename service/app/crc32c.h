// CRC-32C (Castagnoli), as Google Cloud KMS uses it for end-to-end integrity.
#pragma once

#include "keystate/bytes.h"

#include <cstdint>

namespace hallmark::app {

std::uint32_t Crc32c(ByteView bytes);

}  // namespace hallmark::app
