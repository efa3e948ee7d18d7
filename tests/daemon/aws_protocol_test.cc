// What only the AWS front can be asked: the protocol itself, operations that an HMAC service does
// not have, and signatures. What both fronts can be asked is in tests/contract.
#include "tests/daemon/aws_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::testing {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using AwsProtocolTest = AwsFixture;

// A header line of a signed request with another value, or without the line.
std::string WithHeader(std::string request, const std::string& name, const std::string& value) {
  const std::size_t begin = request.find("\r\n" + name + ": ") + 2;
  const std::size_t end = request.find("\r\n", begin) + 2;
  return request.replace(begin, end - begin, value.empty() ? "" : name + ": " + value + "\r\n");
}

TEST_F(AwsProtocolTest, WhatIsNoCallOfKmsIsAnUnknownOperation) {
  const std::string good = SignedPost(access_key(), "ListKeys", "{}");
  for (const std::string& request :
       {WithHeader(good, "X-Amz-Target", ""), WithHeader(good, "X-Amz-Target", "ListKeys"),
        WithHeader(good, "X-Amz-Target", "TrentService.Nonsense"),
        WithHeader(good, "X-Amz-Target", "TrentService.Explain"),
        WithHeader(good, "X-Amz-Target", "DynamoDB_20120810.ListTables"),
        WithHeader(good, "Content-Type", ""), WithHeader(good, "Content-Type", "application/json"),
        WithHeader(good, "Content-Type", "application/x-amz-json-1.0")}) {
    EXPECT_EQ(TypeOf(Send(request)), "UnknownOperationException") << request;
  }
  EXPECT_EQ(Send(good).status, 200);
}

TEST_F(AwsProtocolTest, ASignatureInTheQueryIsNotTaken) {
  std::string presigned =
      WithHeader(SignedPost(access_key(), "ListKeys", "{}"), "Authorization", "");
  presigned.replace(presigned.find("/ "), 1, "/?X-Amz-Signature=0123");
  EXPECT_EQ(TypeOf(Send(presigned)), "MissingAuthenticationTokenException");
}

TEST_F(AwsProtocolTest, AnUnknownOperationSaysNoMore) {
  EXPECT_EQ(Call("Nonsense", "{}").body, R"({"__type":"UnknownOperationException"})");
}

TEST_F(AwsProtocolTest, ABodyOfNothingAsksForNothing) {
  EXPECT_EQ(Call("ListKeys", "").status, 200);
}

TEST_F(AwsProtocolTest, MembersThatAreUnknownOrNullAreIgnored) {
  const ReceivedAnswer answer =
      Call("GenerateMac", R"({"New":{"KeyId":[1,null,"x"]},"KeyId":")" + key_ +
                              R"(","Message":"SGVsbG8=","MacAlgorithm":"HMAC_SHA_256",)"
                              R"("GrantTokens":null,"DryRun":null,"client_token":7})");
  EXPECT_EQ(answer.status, 200) << answer.body;
}

TEST_F(AwsProtocolTest, BodiesThatAreNotTheOperationsJsonAreSerializationExceptions) {
  struct Row {
    const char* operation;
    std::string body;
    const char* message;
  };
  const std::string key = R"("KeyId":")" + key_ + "\"";
  const std::vector<Row> rows = {
      {"ListKeys", "not JSON", ""},
      {"ListKeys", "{", ""},
      {"ListKeys", R"({"Limit":1,})", ""},
      {"ListKeys", R"({"Limit":1}})", ""},
      {"ListKeys", R"({'Limit':1})", ""},
      {"ListKeys", R"({Limit:1})", ""},
      {"ListKeys", R"({"Limit":1} // one)", ""},
      {"ListKeys", R"({"Limit":01})", ""},
      {"ListKeys", "{\"Marker\":\"\xff\"}", ""},
      {"ListKeys", "\xEF\xBB\xBF{}", ""},
      {"ListKeys", std::string("{}\0", 3), ""},
      {"ListKeys", "[]", "Start of list found where not expected"},
      {"ListKeys", "5", "The body is not a structure"},
      {"ListKeys", R"({"Limit":1,"Limit":1})", "Duplicate member at 'limit'"},
      {"ListKeys", R"({"New":1,"New":1})", "Duplicate unknown member"},
      {"ListKeys", R"({"Limit":"7"})",
       "STRING_VALUE can not be converted to an Integer at 'limit'"},
      {"ListKeys", R"({"Limit":7.5})",
       "NUMBER_VALUE with a fraction or an exponent can not be converted to an Integer at 'limit'"},
      {"ListKeys", R"({"Limit":4294967297})",
       "NUMBER_VALUE is out of range for an Integer at 'limit'"},
      {"DescribeKey", R"({"KeyId":5})", "NUMBER_VALUE can not be converted to a String at 'keyId'"},
      {"DescribeKey", R"({"KeyId":["x"]})", "Start of list found where not expected at 'keyId'"},
      {"GenerateMac", "{" + key + R"(,"DryRun":"true"})",
       "STRING_VALUE can not be converted to a Boolean at 'dryRun'"},
      {"GenerateMac", "{" + key + R"(,"Message":"SGk"})",
       "STRING_VALUE is not valid base64 at 'message'"},
      {"GenerateMac", "{" + key + R"(,"GrantTokens":"t"})",
       "STRING_VALUE can not be converted to a List at 'grantTokens'"},
      {"GenerateMac", "{" + key + R"(,"MacAlgorithm":2})",
       "NUMBER_VALUE can not be converted to a String at 'macAlgorithm'"},
      {"TagResource", "{" + key + R"(,"Tags":[{"TagKey":"k","TagValue":5}]})",
       "NUMBER_VALUE can not be converted to a String at 'tags.1.member.tagValue'"},
  };
  for (const Row& row : rows) {
    const ReceivedAnswer answer = Call(row.operation, row.body);
    EXPECT_EQ(TypeOf(answer), "SerializationException") << row.body;
    // Of what is no JSON at all the parser's words do not matter.
    EXPECT_THAT(MessageOf(answer), StartsWith(row.message)) << row.body;
    EXPECT_NE(MessageOf(answer), "") << row.body;
  }
}

TEST_F(AwsProtocolTest, UnsupportedOperationsAreForKnownCallersOnly) {
  const AccessKey stranger{"AKIAIOSFODNN7EXAMPLE", access_key().secret};
  EXPECT_EQ(TypeOf(Send(SignedPost(stranger, "ReplicateKey", "{}"))),
            "UnrecognizedClientException");
}

TEST_F(AwsProtocolTest, AMacThatIsNotTheKeysIsAnExceptionWithoutAWord) {
  const ReceivedAnswer answer = Call(
      "VerifyMac", R"({"KeyId":")" + key_ +
                       R"(","Message":"SGVsbG8=","MacAlgorithm":"HMAC_SHA_256","Mac":"AAAA"})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, R"({"__type":"KMSInvalidMacException"})");
}

TEST_F(AwsProtocolTest, TheRequestIdIsTheOneThatTheServiceRemembers) {
  const std::string key = CreateKey(daemon_->admin());
  const ReceivedAnswer made =
      Call("GenerateMac",
           R"({"KeyId":")" + key + R"(","Message":"SGVsbG8=","MacAlgorithm":"HMAC_SHA_256"})");
  ASSERT_EQ(made.status, 200) << made.body;
  const ReceivedAnswer usage = Call("GetKeyLastUsage", R"({"KeyId":")" + key + "\"}");
  EXPECT_EQ(json::parse(usage.body).at("/KeyLastUsage/KmsRequestId"_json_pointer),
            made.headers.at("x-amzn-requestid"));
}

double SecondsNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

TEST_F(AwsProtocolTest, TimesAreNumbersOfSeconds) {
  constexpr double kWeek = 7 * 24 * 3600;
  constexpr double kMillisecond = 0.001;
  const double before = SecondsNow() - kMillisecond;
  const ReceivedAnswer created =
      Call("CreateKey", R"({"KeySpec":"HMAC_256","KeyUsage":"GENERATE_VERIFY_MAC"})");
  const json metadata = json::parse(created.body).at("KeyMetadata");
  const std::string key = R"("KeyId":")" + metadata.at("KeyId").get<std::string>() + "\"";
  const ReceivedAnswer scheduled =
      Call("ScheduleKeyDeletion", "{" + key + R"(,"PendingWindowInDays":7})");
  const json deletion = json::parse(scheduled.body).at("DeletionDate");
  const double after = SecondsNow() + kMillisecond;
  ASSERT_TRUE(metadata.at("CreationDate").is_number());
  EXPECT_GE(metadata.at("CreationDate").get<double>(), before);
  EXPECT_LE(metadata.at("CreationDate").get<double>(), after);
  ASSERT_TRUE(deletion.is_number());
  EXPECT_GE(deletion.get<double>(), before + kWeek);
  EXPECT_LE(deletion.get<double>(), after + kWeek);
  const ReceivedAnswer described = Call("DescribeKey", "{" + key + "}");
  EXPECT_EQ(json::parse(described.body).at("/KeyMetadata/DeletionDate"_json_pointer), deletion);
}

TEST_F(AwsProtocolTest, AGrantIsOfAWholeSecond) {
  const std::string key = R"("KeyId":")" + key_ + "\"";
  ASSERT_EQ(
      Call("CreateGrant", "{" + key + R"(,"Operations":["GenerateMac"],"GranteePrincipal":")" +
                              TestDaemon::kAdmin + "\"}")
          .status,
      200);
  const ReceivedAnswer listed = Call("ListGrants", "{" + key + "}");
  EXPECT_TRUE(
      json::parse(listed.body).at("/Grants/0/CreationDate"_json_pointer).is_number_integer())
      << listed.body;
}

TEST_F(AwsProtocolTest, ARequestWithoutSignatureIsAskedForOne) {
  const ReceivedAnswer answer =
      Send(WithHeader(SignedPost(access_key(), "ListKeys", "{}"), "Authorization", ""));
  EXPECT_EQ(TypeOf(answer), "MissingAuthenticationTokenException");
  EXPECT_EQ(MessageOf(answer), "Request is missing Authentication Token");
}

TEST_F(AwsProtocolTest, AnAuthorizationThatIsNotWholeIsIncomplete) {
  const std::string good = SignedPost(access_key(), "ListKeys", "{}");
  const ReceivedAnswer answer =
      Send(WithHeader(good, "Authorization", "AWS4-HMAC-SHA256 Credential=" + access_key().id));
  EXPECT_EQ(TypeOf(answer), "IncompleteSignatureException");
  EXPECT_EQ(MessageOf(answer),
            "Authorization header requires 'Signature' parameter. Authorization header requires "
            "'SignedHeaders' parameter.");
  EXPECT_EQ(TypeOf(Send(WithHeader(good, "X-Amz-Date", "yesterday"))),
            "IncompleteSignatureException");
}

TEST_F(AwsProtocolTest, AnAccessKeyOfNobodyIsNotRecognised) {
  const AccessKey unknown{"AKIAIOSFODNN7EXAMPLE", access_key().secret};
  const ReceivedAnswer answer = Send(SignedPost(unknown, "ListKeys", "{}"));
  EXPECT_EQ(TypeOf(answer), "UnrecognizedClientException");
  EXPECT_EQ(MessageOf(answer), "The security token included in the request is invalid.");
}

TEST_F(AwsProtocolTest, ASignatureOfAnotherSecretDateRegionServiceOrTextIsInvalid) {
  struct Row {
    const char* what;
    std::string request;
    std::string message;
  };
  const AccessKey wrong{access_key().id, std::string(access_key().secret.size(), '0')};
  const std::string mismatch = "The request signature we calculated does not match";
  const std::string good = SignedPost(access_key(), "ListKeys", "{}");
  const auto signed_with = [](const Signing& signing) {
    return SignedPost(access_key(), "ListKeys", "{}", signing);
  };
  const std::vector<Row> rows = {
      {"secret", SignedPost(wrong, "ListKeys", "{}"), mismatch},
      {"body", good.substr(0, good.size() - 2) + "[]", mismatch},
      {"target", WithHeader(good, "X-Amz-Target", "TrentService.ListAliases"), mismatch},
      {"host", WithHeader(good, "Host", "example.com"), mismatch},
      {"unsigned target", signed_with({.sign_target = false}),
       "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
      {"old", signed_with({.off = -6min}), "Signature expired: "},
      {"early", signed_with({.off = 6min}), "Signature not yet current: "},
      {"region", signed_with({.region = "eu-west-1"}),
       "Credential should be scoped to a valid region, not 'eu-west-1'. This endpoint is of "
       "'us-west-2'."},
      {"service", signed_with({.service = "s3"}),
       "Credential should be scoped to correct service: 'kms'."},
  };
  for (const Row& row : rows) {
    const ReceivedAnswer answer = Send(row.request);
    EXPECT_EQ(TypeOf(answer), "InvalidSignatureException") << row.what;
    EXPECT_THAT(MessageOf(answer), StartsWith(row.message)) << row.what;
  }
  EXPECT_EQ(Send(good).status, 200);
  EXPECT_EQ(Send(signed_with({.off = -4min})).status, 200);
}

TEST_F(AwsProtocolTest, TheSameSignedBytesChangeSomethingOnce) {
  const std::string key = CreateKey(daemon_->admin());
  const std::string body = R"({"KeyId":")" + key + "\"}";
  const std::string disable = SignedPost(access_key(), "DisableKey", body);
  EXPECT_EQ(Send(disable).status, 200);
  EXPECT_EQ(Call("EnableKey", body).status, 200);
  const ReceivedAnswer again = Send(disable);
  EXPECT_EQ(TypeOf(again), "ThrottlingException");
  EXPECT_THAT(MessageOf(again), HasSubstr("The signature of this request was used before"));
  EXPECT_EQ(json::parse(Call("DescribeKey", body).body).at("/KeyMetadata/KeyState"_json_pointer),
            "Enabled");
  // Signed anew it is another request, as that of an SDK that tries again.
  EXPECT_EQ(Call("DisableKey", body).status, 200);
}

TEST_F(AwsProtocolTest, ACreateKeyThatIsSentAgainMakesNoSecondKey) {
  const std::string create = SignedPost(
      access_key(), "CreateKey", R"({"KeySpec":"HMAC_256","KeyUsage":"GENERATE_VERIFY_MAC"})");
  EXPECT_EQ(Send(create).status, 200);
  const std::size_t keys = ListKeys(daemon_->admin()).size();
  EXPECT_EQ(TypeOf(Send(create, 2)), "ThrottlingException");
  EXPECT_EQ(ListKeys(daemon_->admin()).size(), keys);
}

// Signed for now, and by clients whose clocks are ahead.
TEST_F(AwsProtocolTest, NoSignatureCountsAgainAfterAKill) {
  constexpr const char* kSpec = R"({"KeySpec":"HMAC_256","KeyUsage":"GENERATE_VERIFY_MAC"})";
  const AccessKey key =
      daemon_->AddPrincipal("arn:aws:iam::111122223333:user/Ahead", TestDaemon::kAllowAll)
          .access_key;
  std::vector<std::string> used;
  for (const auto off : {0s, 2s, 240s}) {
    used.push_back(SignedPost(key, "CreateKey", kSpec, Signing{.off = off}));
    EXPECT_EQ(Send(used.back()).status, 200);
  }
  daemon_->Kill();
  daemon_->Start();
  const std::size_t keys = ListKeys(daemon_->admin()).size();
  for (const std::string& request : used) {
    EXPECT_EQ(TypeOf(Send(request)), "ThrottlingException");
  }
  EXPECT_EQ(ListKeys(daemon_->admin()).size(), keys);
  // Who was ahead is so still: a mark is some seconds beyond what was used.
  EXPECT_EQ(Send(SignedPost(key, "CreateKey", kSpec, Signing{.off = 270s})).status, 200);
}

TEST_F(AwsProtocolTest, TheSameSignedBytesMakeTheSameMacAgain) {
  const std::string generate = SignedPost(
      access_key(), "GenerateMac",
      R"({"KeyId":")" + key_ + R"(","Message":"SGVsbG8=","MacAlgorithm":"HMAC_SHA_256"})");
  const ReceivedAnswer first = Send(generate);
  const ReceivedAnswer again = Send(generate, 2);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(first.body, again.body);
  EXPECT_NE(first.headers.at("x-amzn-requestid"), again.headers.at("x-amzn-requestid"));
}

}  // namespace
}  // namespace hallmark::testing
