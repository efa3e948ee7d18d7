// The bodies of answers.
#include "hallmark/v1/kms.pb.h"
#include "service/wire/json_codec.h"
#include "tests/service/wire/sample_messages.h"
#include "tests/support/golden.h"

#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace hallmark::wire {
namespace {

constexpr const char* kKeyId = "1234abcd-12ab-34cd-56ef-1234567890ab";
constexpr const char* kArn =
    "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

// Every operation with an empty answer, and with one in which everything is there, ours included:
// a new member, or one that changes its spelling, shows in the file.
TEST(ToKmsJsonTest, TheBodiesOfEveryOperationAreThoseCommitted) {
  std::string bodies;
  for (const auto* method : KmsMethods()) {
    const auto answer = NewMessage(method->output_type());
    bodies += method->name() + "\n" + ToKmsJson(*answer) + "\n";
    FillSample(Extensions::kFilled, answer.get());
    bodies += ToKmsJson(*answer) + "\n\n";
  }
  hallmark::testing::ExpectGolden(HALLMARK_ANSWERS, bodies);
}

TEST(ToKmsJsonTest, AnAnswerWithoutMembersIsAnEmptyBody) {
  EXPECT_EQ(ToKmsJson(v1::EnableKeyResponse()), "");
  EXPECT_EQ(ToKmsJson(v1::RetireGrantResponse()), "");
  EXPECT_EQ(ToKmsJson(v1::DescribeKeyResponse()), "{}");
}

// As recorded from KMS, but for the order of the members.
TEST(ToKmsJsonTest, MetadataOfAnHmacKey) {
  v1::CreateKeyResponse answer;
  v1::KeyMetadata* key = answer.mutable_key_metadata();
  key->set_aws_account_id("111122223333");
  key->set_key_id(kKeyId);
  key->set_arn(kArn);
  key->mutable_creation_date()->set_seconds(1'669'973'196);
  key->mutable_creation_date()->set_nanos(214'000'000);
  key->set_enabled(true);
  key->set_description("");
  key->set_key_usage(v1::KEY_USAGE_GENERATE_VERIFY_MAC);
  key->set_key_state(v1::KEY_STATE_ENABLED);
  key->set_origin(v1::ORIGIN_TYPE_AWS_KMS);
  key->set_key_manager(v1::KEY_MANAGER_TYPE_CUSTOMER);
  key->set_customer_master_key_spec(v1::KEY_SPEC_HMAC_384);
  key->set_key_spec(v1::KEY_SPEC_HMAC_384);
  key->add_mac_algorithms(v1::MAC_ALGORITHM_HMAC_SHA_384);
  key->set_multi_region(false);
  EXPECT_EQ(
      ToKmsJson(answer),
      R"({"KeyMetadata":{"AWSAccountId":"111122223333",)"
      R"("KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab",)"
      R"("Arn":"arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",)"
      R"("CreationDate":1669973196.214,"Enabled":true,"Description":"",)"
      R"("KeyUsage":"GENERATE_VERIFY_MAC","KeyState":"Enabled","Origin":"AWS_KMS",)"
      R"("KeyManager":"CUSTOMER","CustomerMasterKeySpec":"HMAC_384","KeySpec":"HMAC_384",)"
      R"("MacAlgorithms":["HMAC_SHA_384"],"MultiRegion":false}})");
}

TEST(ToKmsJsonTest, AMacIsBase64AndItsChecksumStaysHere) {
  v1::GenerateMacResponse answer;
  answer.set_key_id(kArn);
  answer.set_mac("\xfb\xff\xfe\x00", 4);
  answer.set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
  answer.set_mac_crc32c(7);
  EXPECT_EQ(ToKmsJson(answer), R"({"Mac":"+//+AA==","MacAlgorithm":"HMAC_SHA_256","KeyId":")" +
                                   std::string(kArn) + R"("})");
}

TEST(ToKmsJsonTest, AListWithoutItemsAndTheLastPage) {
  v1::ListResourceTagsResponse tags;
  tags.set_truncated(false);
  EXPECT_EQ(ToKmsJson(tags), R"({"Tags":[],"Truncated":false})");
  v1::ListGrantsResponse grants;
  grants.set_truncated(true);
  grants.set_next_marker("m");
  EXPECT_EQ(ToKmsJson(grants), R"({"Grants":[],"NextMarker":"m","Truncated":true})");
}

TEST(ToKmsJsonTest, AGrantWithoutNameOrConstraints) {
  v1::ListGrantsResponse answer;
  v1::GrantListEntry* grant = answer.add_grants();
  grant->set_key_id("key");
  grant->set_grant_id("grant");
  grant->mutable_creation_date()->set_seconds(1'669'973'196);
  grant->add_operations(v1::GRANT_OPERATION_VERIFY_MAC);
  grant->add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
  answer.set_truncated(false);
  EXPECT_EQ(ToKmsJson(answer),
            R"({"Grants":[{"KeyId":"key","GrantId":"grant","CreationDate":1669973196,)"
            R"("Operations":["VerifyMac","GenerateMac"]}],"Truncated":false})");
}

TEST(ToKmsJsonTest, ConstraintsHaveNoEmptyMaps) {
  v1::GrantListEntry grant;
  grant.mutable_constraints()->set_source_arn("arn");
  EXPECT_EQ(ToKmsJson(grant), R"({"Operations":[],"Constraints":{"SourceArn":"arn"}})");
  auto& pairs = *grant.mutable_constraints()->mutable_encryption_context_equals();
  for (const char* key : {"c", "a", "", "b"}) pairs[key] = "1";
  EXPECT_EQ(ToKmsJson(grant.constraints()),
            R"({"EncryptionContextEquals":{"":"1","a":"1","b":"1","c":"1"},"SourceArn":"arn"})");
}

TEST(ToKmsJsonTest, TimesHaveAsManyDigitsAsTheyNeed) {
  struct Row {
    std::int64_t seconds;
    std::int32_t nanos;
    const char* text;
  };
  for (const auto& [seconds, nanos, text] : {
           Row{1'669'973'196, 214'000'000, "1669973196.214"},
           Row{1'669'973'196, 0, "1669973196"},
           Row{1'669'973'196, 999'999, "1669973196"},
           Row{1'669'973'196, 999'999'999, "1669973196.999"},
           Row{1'669'973'196, 7'000'000, "1669973196.007"},
           Row{1'669'973'196, 70'000'000, "1669973196.07"},
           Row{1'669'973'196, 700'000'000, "1669973196.7"},
           Row{0, 0, "0"},
           Row{0, 1'000'000, "0.001"},
           Row{-1, 0, "-1"},
           Row{-1, 750'000'000, "-0.25"},
           Row{-62'135'596'800, 0, "-62135596800"},
           Row{253'402'300'799, 999'000'000, "253402300799.999"},
       }) {
    v1::KeyMetadata key;
    key.mutable_creation_date()->set_seconds(seconds);
    key.mutable_creation_date()->set_nanos(nanos);
    EXPECT_EQ(ToKmsJson(key), "{\"CreationDate\":" + std::string(text) + ",\"MacAlgorithms\":[]}");
  }
}

TEST(ToKmsJsonTest, TextsAreEscapedWhereJsonAsksForIt) {
  v1::GetKeyPolicyResponse answer;
  answer.set_policy("{\r\n\t\"a\" : \"\u00e4\U0001F511\\/\"}\x01");
  EXPECT_EQ(ToKmsJson(answer),
            "{\"Policy\":\"{\\r\\n\\t\\\"a\\\" : \\\"\u00e4\U0001F511\\\\/\\\"}\\u0001\"}");
}

TEST(ToKmsJsonTest, LongsKeepEveryDigit) {
  google::protobuf::Int64Value number;
  number.set_value(std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(ToKmsJson(number), R"({"value":-9223372036854775808})");
}

TEST(ToKmsJsonTest, UnspecifiedIsAbsent) {
  v1::VerifyMacResponse answer;
  answer.set_mac_algorithm(v1::MAC_ALGORITHM_UNSPECIFIED);
  answer.set_mac_valid(true);
  EXPECT_EQ(ToKmsJson(answer), R"({"MacValid":true})");
}

}  // namespace
}  // namespace hallmark::wire
