#include "service/cli/render.h"

#include "hallmark/v1/kms.pb.h"

#include <gtest/gtest.h>

namespace hallmark::cli {
namespace {

v1::GenerateMacResponse Mac() {
  v1::GenerateMacResponse answer;
  answer.set_mac(std::string("\x00\xff\xfe", 3));
  answer.set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
  answer.set_key_id("arn:k");
  answer.set_mac_crc32c(4294967295U);
  return answer;
}

v1::ListKeysResponse TwoKeys() {
  v1::ListKeysResponse answer;
  auto* key = answer.add_keys();
  key->set_key_id("1");
  key->set_key_arn("arn:1");
  answer.add_keys()->set_key_id("2");
  answer.set_truncated(false);
  return answer;
}

std::string RenderAs(OutputFormat format, const google::protobuf::Message& answer,
                     const std::string& title = "Title") {
  return Render(ToKmsJson(answer), title, format);
}

TEST(RenderJsonTest, UsesKmsSpellingsAndBase64) {
  EXPECT_EQ(RenderAs(OutputFormat::kJson, Mac()),
            "{\n"
            "    \"Mac\": \"AP/+\",\n"
            "    \"MacAlgorithm\": \"HMAC_SHA_256\",\n"
            "    \"KeyId\": \"arn:k\"\n"
            "}\n");
}

TEST(RenderJsonTest, MembersThatKmsDoesNotHaveAreShownOnlyWhenAskedFor) {
  EXPECT_FALSE(ToKmsJson(Mac()).contains("mac_crc32c"));
  EXPECT_EQ(ToKmsJson(Mac(), Members::kAll)["mac_crc32c"], 4294967295U);
}

TEST(RenderJsonTest, TimesAreIso8601WithAnOffset) {
  v1::DescribeKeyResponse answer;
  auto* metadata = answer.mutable_key_metadata();
  metadata->mutable_creation_date()->set_seconds(1700000000);
  metadata->mutable_deletion_date()->set_seconds(1700000000);
  metadata->mutable_deletion_date()->set_nanos(25'000'000);
  metadata->set_key_state(v1::KEY_STATE_PENDING_DELETION);
  const auto json = ToKmsJson(answer)["KeyMetadata"];
  EXPECT_EQ(json["CreationDate"], "2023-11-14T22:13:20+00:00");
  EXPECT_EQ(json["DeletionDate"], "2023-11-14T22:13:20.025000+00:00");
  EXPECT_EQ(json["KeyState"], "PendingDeletion");
  EXPECT_FALSE(json.contains("MacAlgorithms"));
}

TEST(RenderJsonTest, AnEmptyListOfTheAnswerIsShown) {
  EXPECT_EQ(RenderAs(OutputFormat::kJson, v1::ListKeysResponse()), "{\n    \"Keys\": []\n}\n");
}

TEST(RenderTest, AnAnswerWithoutMembersPrintsNothing) {
  for (const auto format : {OutputFormat::kJson, OutputFormat::kText, OutputFormat::kTable}) {
    EXPECT_EQ(RenderAs(format, v1::CreateAliasResponse()), "");
  }
}

TEST(RenderTextTest, ScalarsAreOneLineInTheOrderOfTheirNames) {
  EXPECT_EQ(RenderAs(OutputFormat::kText, Mac()), "arn:k\tAP/+\tHMAC_SHA_256\n");
}

TEST(RenderTextTest, StructuresOfAListKeepTheirColumns) {
  EXPECT_EQ(RenderAs(OutputFormat::kText, TwoKeys()), "False\nKEYS\tarn:1\t1\nKEYS\t\t2\n");
}

TEST(RenderTableTest, ScalarsHaveOneRowEach) {
  EXPECT_EQ(RenderAs(OutputFormat::kTable, Mac(), "GenerateMac"),
            "+---------------------------------+\n"
            "|           GenerateMac           |\n"
            "+----------------+----------------+\n"
            "|  Mac           |  AP/+          |\n"
            "|  MacAlgorithm  |  HMAC_SHA_256  |\n"
            "|  KeyId         |  arn:k         |\n"
            "+----------------+----------------+\n");
}

TEST(RenderTableTest, ListsHaveAHeadedColumnPerMember) {
  EXPECT_EQ(RenderAs(OutputFormat::kTable, TwoKeys(), "ListKeys"),
            "+-----------------------+\n"
            "|       ListKeys        |\n"
            "+-------------+---------+\n"
            "|  Truncated  |  False  |\n"
            "+-------------+---------+\n"
            "|         Keys          |\n"
            "+---------+-------------+\n"
            "|  KeyId  |  KeyArn     |\n"
            "+---------+-------------+\n"
            "|  1      |  arn:1      |\n"
            "|  2      |             |\n"
            "+---------+-------------+\n");
}

}  // namespace
}  // namespace hallmark::cli
