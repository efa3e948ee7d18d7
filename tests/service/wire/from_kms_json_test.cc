// What the codec makes of the bodies of requests, and what it refuses.
#include "hallmark/v1/kms.pb.h"
#include "service/wire/json_codec.h"
#include "tests/support/result_matchers.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

namespace hallmark::wire {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::TextFormat;
using google::protobuf::util::MessageDifferencer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;
using testing::RaisesWith;
using ::testing::StartsWith;
using namespace std::string_literals;

std::unique_ptr<Message> New(const std::string& type) {
  const auto* descriptor =
      DescriptorPool::generated_pool()->FindMessageTypeByName("hallmark.v1." + type);
  EXPECT_NE(descriptor, nullptr) << type;
  return std::unique_ptr<Message>(
      MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
}

std::string Name(const auto& info) { return info.param.name; }

struct Accepted {
  const char* name;
  const char* type;
  std::string body;
  std::string message;  // in protobuf's text format
};

class AcceptedTest : public ::testing::TestWithParam<Accepted> {};

TEST_P(AcceptedTest, FillsTheMessage) {
  const auto message = New(GetParam().type);
  ASSERT_THAT(FromKmsJson(GetParam().body, message.get()), IsOk());
  const auto expected = New(GetParam().type);
  ASSERT_TRUE(TextFormat::ParseFromString(GetParam().message, expected.get()));
  EXPECT_TRUE(MessageDifferencer::Equals(*message, *expected)) << message->DebugString();
}

INSTANTIATE_TEST_SUITE_P(
    Members, AcceptedTest,
    ::testing::ValuesIn<Accepted>({
        {"EveryMember", "GenerateMacRequest",
         R"({"KeyId":"alias/HMAC-key","Message":"SGVsbG8gV29ybGQ=","MacAlgorithm":"HMAC_SHA_384",
             "GrantTokens":["one","two"],"DryRun":true})",
         R"(key_id: "alias/HMAC-key" message: "Hello World" mac_algorithm: MAC_ALGORITHM_HMAC_SHA_384
            grant_tokens: "one" grant_tokens: "two" dry_run: true)"},
        {"NothingAtAll", "ListKeysRequest", "", ""},
        {"NoMembers", "ListKeysRequest", " {\r\n\t} ", ""},
        {"PresentAndEmpty", "UpdateKeyDescriptionRequest", R"({"Description":""})",
         R"(description: "")"},
        {"PresentAndFalse", "GenerateMacRequest", R"({"DryRun":false,"Message":""})",
         R"(dry_run: false message: "")"},
        {"NullIsAbsent", "CreateGrantRequest",
         R"({"KeyId":null,"Operations":null,"Constraints":null,"DryRun":null})", ""},
        {"UnknownMembersAreIgnored", "GenerateMacRequest",
         R"({"New":{"KeyId":[1,{"a":null},2.5e3,"x"]},"KeyId":"k","Other":[[],true]})",
         R"(key_id: "k")"},
        {"NamesHaveOneSpelling", "GenerateMacRequest",
         R"({"keyId":1,"key_id":2,"KEYID":3,"Key\u0049d":"k"})", R"(key_id: "k")"},
        {"MembersOfOurOwnDoNotExist", "CreateKeyRequest",
         R"({"clientToken":"a","client_token":5,"ClientToken":{}})", ""},
        {"NorDoOurChecksums", "GenerateMacRequest", R"({"messageCrc32c":1,"MessageCrc32c":"x"})",
         ""},
        {"NestedLists", "CreateKeyRequest",
         R"({"Tags":[{"TagKey":"a","TagValue":"1"},{},{"TagValue":""}]})",
         R"(tags { tag_key: "a" tag_value: "1" } tags {} tags { tag_value: "" })"},
        {"AnEmptyListIsAnAbsentOne", "CreateKeyRequest", R"({"Tags":[]})", ""},
        {"AnEmptyStructureIsThere", "CreateGrantRequest", R"({"Constraints":{}})",
         "constraints {}"},
        {"Maps", "CreateGrantRequest",
         R"({"Constraints":{"EncryptionContextEquals":{"a":"1","":"2"},"SourceArn":"s"}})",
         R"(constraints { source_arn: "s"
             encryption_context_equals { key: "a" value: "1" }
             encryption_context_equals { key: "" value: "2" } })"},
        {"EnumsInLists", "CreateGrantRequest",
         R"({"Operations":["VerifyMac","GenerateMac","VerifyMac"]})",
         "operations: [GRANT_OPERATION_VERIFY_MAC, GRANT_OPERATION_GENERATE_MAC,"
         " GRANT_OPERATION_VERIFY_MAC]"},
        {"Escapes", "CreateKeyRequest",
         R"({"Description":"\u00e4\ud83d\udd11\n\"\\\/\b\f\r\t\u0000"})",
         "description: '\u00e4\U0001F511\\n\\\"\\\\/\\010\\014\\r\\t\\000'"},
        {"LineBreaksOfPolicies", "PutKeyPolicyRequest", R"({"Policy":"{\r\n\t}"})",
         R"(policy: "{\r\n\t}")"},
        {"TheLeastInteger", "ListKeysRequest", R"({"Limit":-2147483648})", "limit: -2147483648"},
        {"TheGreatestInteger", "ListKeysRequest", R"({"Limit":2147483647})", "limit: 2147483647"},
        {"MinusZero", "ListKeysRequest", R"({"Limit":-0})", "limit: 0"},
        {"ThirtyTwoLevels", "ListKeysRequest",
         R"({"New":)" + std::string(31, '[') + std::string(31, ']') + "}", ""},
    }),
    Name<::testing::TestParamInfo<Accepted>>);

INSTANTIATE_TEST_SUITE_P(
    Times, AcceptedTest,
    ::testing::ValuesIn<Accepted>({
        {"Milliseconds", "KeyMetadata", R"({"CreationDate":1669973196.214})",
         "creation_date { seconds: 1669973196 nanos: 214000000 }"},
        {"WholeSeconds", "KeyMetadata", R"({"CreationDate":1669973196})",
         "creation_date { seconds: 1669973196 }"},
        {"AnExponent", "KeyMetadata", R"({"CreationDate":1.669973196214E9})",
         "creation_date { seconds: 1669973196 nanos: 214000000 }"},
        {"MoreDigitsAreRounded", "KeyMetadata", R"({"CreationDate":1669973196.9996})",
         "creation_date { seconds: 1669973197 }"},
        {"TheEpoch", "KeyMetadata", R"({"CreationDate":0})", "creation_date {}"},
        {"BeforeTheEpoch", "KeyMetadata", R"({"CreationDate":-0.25})",
         "creation_date { seconds: -1 nanos: 750000000 }"},
        {"TheFirst", "KeyMetadata", R"({"CreationDate":-62135596800})",
         "creation_date { seconds: -62135596800 }"},
        {"TheLast", "KeyMetadata", R"({"CreationDate":253402300799.999})",
         "creation_date { seconds: 253402300799 nanos: 999000000 }"},
    }),
    Name<::testing::TestParamInfo<Accepted>>);

struct Refused {
  const char* name;
  const char* type;
  std::string body;
  std::string message;
};

class RefusedTest : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedTest, NamesMemberAndReason) {
  const auto message = New(GetParam().type);
  EXPECT_THAT(FromKmsJson(GetParam().body, message.get()),
              RaisesWith(Exception::kSerializationException, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Types, RefusedTest,
    ::testing::ValuesIn<Refused>({
        {"NumberForString", "GenerateMacRequest", R"({"KeyId":5})",
         "NUMBER_VALUE can not be converted to a String at 'keyId'"},
        {"FractionForString", "GenerateMacRequest", R"({"KeyId":5.5})",
         "NUMBER_VALUE can not be converted to a String at 'keyId'"},
        {"TrueForString", "GenerateMacRequest", R"({"KeyId":true})",
         "TRUE_VALUE can not be converted to a String at 'keyId'"},
        {"StructureForString", "GenerateMacRequest", R"({"KeyId":{}})",
         "Start of structure or map found where not expected at 'keyId'"},
        {"ListForString", "GenerateMacRequest", R"({"KeyId":["k"]})",
         "Start of list found where not expected at 'keyId'"},
        {"NumberForEnum", "GenerateMacRequest", R"({"MacAlgorithm":3})",
         "NUMBER_VALUE can not be converted to a String at 'macAlgorithm'"},
        {"StringForBoolean", "GenerateMacRequest", R"({"DryRun":"true"})",
         "STRING_VALUE can not be converted to a Boolean at 'dryRun'"},
        {"NumberForBoolean", "GenerateMacRequest", R"({"DryRun":1})",
         "NUMBER_VALUE can not be converted to a Boolean at 'dryRun'"},
        {"FalseForBlob", "GenerateMacRequest", R"({"Message":false})",
         "FALSE_VALUE can not be converted to a Blob at 'message'"},
        {"StringForInteger", "ListKeysRequest", R"({"Limit":"7"})",
         "STRING_VALUE can not be converted to an Integer at 'limit'"},
        {"FractionForInteger", "ListKeysRequest", R"({"Limit":7.0})",
         "NUMBER_VALUE with a fraction or an exponent can not be converted to an Integer at "
         "'limit'"},
        {"ExponentForInteger", "ListKeysRequest", R"({"Limit":1e2})",
         "NUMBER_VALUE with a fraction or an exponent can not be converted to an Integer at "
         "'limit'"},
        {"AboveInteger", "ListKeysRequest", R"({"Limit":2147483648})",
         "NUMBER_VALUE is out of range for an Integer at 'limit'"},
        {"BelowInteger", "ListKeysRequest", R"({"Limit":-2147483649})",
         "NUMBER_VALUE is out of range for an Integer at 'limit'"},
        {"FarAboveInteger", "ListKeysRequest", R"({"Limit":18446744073709551615})",
         "NUMBER_VALUE is out of range for an Integer at 'limit'"},
        {"BeyondEveryInteger", "ListKeysRequest", R"({"Limit":-99999999999999999999})",
         "NUMBER_VALUE is out of range for an Integer at 'limit'"},
        {"StringForTime", "KeyMetadata", R"({"CreationDate":"2022-12-02T09:26:36Z"})",
         "STRING_VALUE can not be converted to a Timestamp at 'creationDate'"},
        {"StructureForTime", "KeyMetadata", R"({"CreationDate":{"seconds":1}})",
         "Start of structure or map found where not expected at 'creationDate'"},
        {"TimeTooLate", "KeyMetadata", R"({"CreationDate":253402300800})",
         "NUMBER_VALUE is out of range for a Timestamp at 'creationDate'"},
        {"TimeTooEarly", "KeyMetadata", R"({"CreationDate":-62135596800.001})",
         "NUMBER_VALUE is out of range for a Timestamp at 'creationDate'"},
        {"TimeFarOff", "KeyMetadata", R"({"CreationDate":1e300})",
         "NUMBER_VALUE is out of range for a Timestamp at 'creationDate'"},
        {"StringForList", "GenerateMacRequest", R"({"GrantTokens":"t"})",
         "STRING_VALUE can not be converted to a List at 'grantTokens'"},
        {"StructureForList", "GenerateMacRequest", R"({"GrantTokens":{}})",
         "Start of structure or map found where not expected at 'grantTokens'"},
        {"ListInList", "GenerateMacRequest", R"({"GrantTokens":["t",["t"]]})",
         "Start of list found where not expected at 'grantTokens.2.member'"},
        {"NullInList", "GenerateMacRequest", R"({"GrantTokens":["t",null]})",
         "NULL_VALUE can not be converted to a String at 'grantTokens.2.member'"},
        {"StringForStructure", "CreateGrantRequest", R"({"Constraints":"c"})",
         "STRING_VALUE can not be converted to a Structure at 'constraints'"},
        {"ListForStructure", "CreateGrantRequest", R"({"Constraints":[]})",
         "Start of list found where not expected at 'constraints'"},
        {"StringForItem", "CreateKeyRequest", R"({"Tags":[{},"t"]})",
         "STRING_VALUE can not be converted to a Structure at 'tags.2.member'"},
        {"DeepInside", "CreateKeyRequest", R"({"Tags":[{},{"TagKey":"k","TagValue":5}]})",
         "NUMBER_VALUE can not be converted to a String at 'tags.2.member.tagValue'"},
        {"ListForMap", "CreateGrantRequest", R"({"Constraints":{"EncryptionContextEquals":[]}})",
         "Start of list found where not expected at 'constraints.encryptionContextEquals'"},
        {"StringForMap", "CreateGrantRequest", R"({"Constraints":{"EncryptionContextEquals":"c"}})",
         "STRING_VALUE can not be converted to a Map at 'constraints.encryptionContextEquals'"},
        {"NumberInMap", "CreateGrantRequest",
         R"({"Constraints":{"EncryptionContextEquals":{"a":"1","b":2}}})",
         "NUMBER_VALUE can not be converted to a String at 'constraints.encryptionContextEquals'"},
        {"NullInMap", "CreateGrantRequest",
         R"({"Constraints":{"EncryptionContextEquals":{"a":null}}})",
         "NULL_VALUE can not be converted to a String at 'constraints.encryptionContextEquals'"},
        {"UnpaddedBase64", "GenerateMacRequest", R"({"Message":"SGk"})",
         "STRING_VALUE is not valid base64 at 'message'"},
        {"UrlBase64", "GenerateMacRequest", R"({"Message":"-__-"})",
         "STRING_VALUE is not valid base64 at 'message'"},
        {"StrayBitsInBase64", "GenerateMacRequest", R"({"Message":"Zh=="})",
         "STRING_VALUE is not valid base64 at 'message'"},
        {"SpaceInBase64", "GenerateMacRequest", R"({"Message":"SGk=\n"})",
         "STRING_VALUE is not valid base64 at 'message'"},
    }),
    Name<::testing::TestParamInfo<Refused>>);

INSTANTIATE_TEST_SUITE_P(
    Structure, RefusedTest,
    ::testing::ValuesIn<Refused>({
        {"AString", "ListKeysRequest", R"("x")", "The body is not a structure"},
        {"ANumber", "ListKeysRequest", "5", "The body is not a structure"},
        {"ATruth", "ListKeysRequest", "true", "The body is not a structure"},
        {"ANull", "ListKeysRequest", "null", "The body is not a structure"},
        {"AList", "ListKeysRequest", "[]", "Start of list found where not expected"},
        {"Twice", "GenerateMacRequest", R"({"KeyId":"a","DryRun":true,"KeyId":"a"})",
         "Duplicate member at 'keyId'"},
        {"TwiceInOtherLetters", "GenerateMacRequest", R"({"KeyId":"a","Key\u0049d":"b"})",
         "Duplicate member at 'keyId'"},
        {"TwiceOnceNull", "GenerateMacRequest", R"({"KeyId":null,"KeyId":"a"})",
         "Duplicate member at 'keyId'"},
        {"TwiceInside", "CreateKeyRequest", R"({"Tags":[{},{"TagKey":"a","TagKey":"b"}]})",
         "Duplicate member at 'tags.2.member.tagKey'"},
        {"TwiceInAMap", "CreateGrantRequest",
         R"({"Constraints":{"EncryptionContextSubset":{"a":"1","b":"1","a":"1"}}})",
         "Duplicate key at 'constraints.encryptionContextSubset'"},
        {"TwiceUnknown", "GenerateMacRequest", R"({"New":1,"KeyId":"k","New":1})",
         "Duplicate unknown member"},
        {"TwiceInUnknown", "GenerateMacRequest", R"({"KeyId":"k","New":[{"a":1,"a":1}]})",
         "Duplicate unknown member"},
        {"TooDeepInUnknown", "ListKeysRequest", R"({"New":)" + std::string(100'000, '['),
         "Nested more than 32 levels deep"},
        {"TooDeepInObjects", "ListKeysRequest",
         [] {
           std::string body;
           for (int i = 0; i < 33; ++i) body += R"({"a":)";
           return body;
         }(),
         "Nested more than 32 levels deep"},
    }),
    Name<::testing::TestParamInfo<Refused>>);

TEST(FromKmsJsonTest, WhatIsNotJsonIsRefusedWithItsPlace) {
  v1::GenerateMacRequest request;
  EXPECT_THAT(
      FromKmsJson(R"({"KeyId":"k",})", &request),
      RaisesWith(Exception::kSerializationException, "Unexpected token at byte 14 of the body"));
  EXPECT_THAT(FromKmsJson("{}\0"s, &request), RaisesWith(Exception::kSerializationException,
                                                         "Unexpected token at byte 3 of the body"));
  for (const std::string& body : {
           R"({KeyId:"k"})"s,
           R"({'KeyId':'k'})"s,
           R"({"KeyId":"k"} x)"s,
           R"({"KeyId":"k"}{})"s,
           R"({"KeyId":"k")"s,
           R"({"KeyId":"k)"s,
           R"({"KeyId" "k"})"s,
           R"({"KeyId"})"s,
           R"({"KeyId":})"s,
           R"({,})"s,
           R"({"GrantTokens":["a",]})"s,
           R"({"GrantTokens":[,]})"s,
           R"({"GrantTokens":["a"})"s,
           R"({"DryRun":True})"s,
           R"({"DryRun":nul})"s,
           R"({"DryRun":NaN})"s,
           R"({"DryRun":Infinity})"s,
           R"({"New":+1})"s,
           R"({"New":01})"s,
           R"({"New":1.})"s,
           R"({"New":.5})"s,
           R"({"New":0x10})"s,
           R"({"New":1_0})"s,
           R"({"New":1e999})"s,
           R"({"KeyId":"\x41"})"s,
           R"({"KeyId":"\u12"})"s,
           R"({"KeyId":"\ud800"})"s,
           R"({"KeyId":"\udc00"})"s,
           R"({"KeyId":"\ud800\u0041"})"s,
           "{\"KeyId\":\"\xff\"}"s,
           "{\"KeyId\":\"\xc0\x80\"}"s,
           "{\"KeyId\":\"\xed\xa0\x80\"}"s,
           "{\"KeyId\":\"\xf4\x90\x80\x80\"}"s,
           "{\"KeyId\":\"\xe2\x82\"}"s,
           "{\"\xff\":1}"s,
           "{\"KeyId\":\"a\nb\"}"s,
           "{\"KeyId\":\"a\0b\"}"s,
           "/* x */{}"s,
           "{}// x"s,
           "# x\n{}"s,
           "\xEF\xBB\xBF{}"s,
           "\xFF\xFE{\0}\0"s,
           "{}\0x"s,
           "\0"s,
           " "s,
           "\v{}"s,
           "KeyId=k"s,
           "}"s,
       }) {
    const Status status = FromKmsJson(body, &request);
    ASSERT_FALSE(status.has_value()) << body;
    EXPECT_EQ(status.error().exception, Exception::kSerializationException) << body;
    EXPECT_THAT(status.error().message, StartsWith("Unexpected token at byte ")) << body;
  }
}

TEST(FromKmsJsonTest, ARefusalShowsNothingOfTheBody) {
  for (const std::string_view body : {
           R"({"hunter2":1,"hunter2":1})",
           R"({"Message":"hunter2"})",
           R"({"KeyId":"hunter2" x)",
           R"({"KeyId":"hunter2)",
           R"({"DryRun":"hunter2"})",
           R"({"GrantTokens":{"hunter2":"hunter2"}})",
           R"({"hunter2":{"hunter2":{"KeyId":"hunter2","KeyId":"hunter2"}}})",
           R"("hunter2")",
           "hunter2",
       }) {
    v1::GenerateMacRequest request;
    const Status status = FromKmsJson(body, &request);
    ASSERT_FALSE(status.has_value()) << body;
    EXPECT_THAT(ToString(status.error()), AllOf(Not(HasSubstr("hunter2")))) << body;
    EXPECT_LT(status.error().message.size(), 100U);
  }
  v1::CreateGrantRequest grant;
  const Status status = FromKmsJson(
      R"({"Constraints":{"EncryptionContextSubset":{"hunter2":"","hunter2":""}}})", &grant);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(ToString(status.error()), Not(HasSubstr("hunter2")));
}

TEST(FromKmsJsonTest, LongsHaveSixtyFourBits) {
  google::protobuf::Int64Value number;
  ASSERT_THAT(FromKmsJson(R"({"value":9223372036854775807})", &number), IsOk());
  EXPECT_EQ(number.value(), std::numeric_limits<std::int64_t>::max());
  ASSERT_THAT(FromKmsJson(R"({"value":-9223372036854775808})", &number), IsOk());
  EXPECT_EQ(number.value(), std::numeric_limits<std::int64_t>::min());
  EXPECT_THAT(FromKmsJson(R"({"value":9223372036854775808})", &number),
              RaisesWith(Exception::kSerializationException,
                         "NUMBER_VALUE is out of range for a Long at 'value'"));
}

}  // namespace
}  // namespace hallmark::wire
