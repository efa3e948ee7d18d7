#include "service/cli/checksums.h"

#include "hallmark/v1/kms.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hallmark::cli {
namespace {

using ::testing::HasSubstr;

// The check value of CRC-32C.
constexpr const char* kDigits = "123456789";
constexpr std::uint32_t kDigitsCrc32c = 0xE3069283;

TEST(ChecksumsTest, AMessageGetsItsChecksum) {
  v1::GenerateMacRequest request;
  request.set_message(kDigits);
  AddChecksums(&request);
  EXPECT_EQ(request.message_crc32c(), kDigitsCrc32c);
}

TEST(ChecksumsTest, AChecksumThatWasGivenStays) {
  v1::GenerateMacRequest request;
  request.set_message(kDigits);
  request.set_message_crc32c(7);
  AddChecksums(&request);
  EXPECT_EQ(request.message_crc32c(), 7U);
}

TEST(ChecksumsTest, WhatIsAbsentGetsNone) {
  v1::GenerateMacRequest request;
  AddChecksums(&request);
  EXPECT_FALSE(request.has_message_crc32c());
  v1::DescribeKeyRequest without_checksums;
  without_checksums.set_key_id("k");
  AddChecksums(&without_checksums);
  EXPECT_EQ(without_checksums.ShortDebugString(), "key_id: \"k\"");
}

TEST(ChecksumsTest, AnIntactAnswerIsAccepted) {
  v1::GenerateMacResponse answer;
  answer.set_mac(kDigits);
  answer.set_mac_crc32c(kDigitsCrc32c);
  EXPECT_TRUE(CheckChecksums(answer).has_value());
  EXPECT_TRUE(CheckChecksums(v1::VerifyMacResponse()).has_value());
}

TEST(ChecksumsTest, ADamagedAnswerIsRefusedByTheNameOfItsMember) {
  v1::GenerateMacResponse answer;
  answer.set_mac("123456788");
  answer.set_mac_crc32c(kDigitsCrc32c);
  const auto checked = CheckChecksums(answer);
  ASSERT_FALSE(checked.has_value());
  EXPECT_THAT(checked.error(), HasSubstr("Mac of the answer does not match its checksum"));
}

TEST(ChecksumsTest, AnAnswerWhoseChecksumWasLostIsRefused) {
  v1::GenerateMacResponse answer;
  answer.set_mac(kDigits);
  EXPECT_FALSE(CheckChecksums(answer).has_value());
}

}  // namespace
}  // namespace hallmark::cli
