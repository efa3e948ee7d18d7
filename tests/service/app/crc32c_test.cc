#include "service/app/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark::app {
namespace {

// Vectors of RFC 3720, appendix B.4, and the check value of the catalogue of CRC algorithms.
TEST(Crc32cTest, AgreesWithThePublishedVectors) {
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xE3069283U);
  EXPECT_EQ(Crc32c(AsBytes(std::string(32, '\0'))), 0x8A9136AAU);
  EXPECT_EQ(Crc32c(AsBytes(std::string(32, '\xFF'))), 0x62A8AB43U);
  EXPECT_EQ(Crc32c({}), 0U);
}

}  // namespace
}  // namespace hallmark::app
