#include "service/app/crc32c.h"

#include <boost/crc.hpp>

namespace hallmark::app {

std::uint32_t Crc32c(ByteView bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

}  // namespace hallmark::app
