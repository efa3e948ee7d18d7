// Debian's boto3: answers, refusals by class, paginators.
#include "keystate/base64.h"
#include "tests/clients/aws/aws_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr const char* kUuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";

class Boto3Test : public ::testing::Test {
 protected:
  Finished RunScript(const std::string& script, std::vector<std::string> arguments,
                     const std::vector<std::string>& settings = {}) {
    arguments.insert(arguments.begin(),
                     {"/usr/bin/python3", HALLMARK_AWS_CLIENTS "/python/" + script});
    return service_.Run(arguments, settings);
  }
  json Answer(const std::string& script, std::vector<std::string> arguments,
              const std::vector<std::string>& settings = {}) {
    const Finished finished = RunScript(script, std::move(arguments), settings);
    EXPECT_EQ(finished.exit_code, 0);
    EXPECT_EQ(finished.errors, "");
    return json::parse(finished.output, nullptr, false);
  }
  json Call(const std::string& operation, const json& parameters,
            const std::vector<std::string>& settings = {}) {
    return Answer("call.py", {operation, parameters.dump()}, settings);
  }
  // The call is caught as client.exceptions.EXCEPTION, and nothing of it but the transport's
  // headers is left unlooked at.
  void ExpectCaught(const std::string& exception, const std::string& operation,
                    const json& parameters, const std::string& message, int status = 400) {
    json caught = Answer("call.py", {operation, parameters.dump(), exception});
    ASSERT_TRUE(caught.is_object());
    ExpectTransport(caught, status);
    caught.erase("ResponseMetadata");
    const std::string method = operation == "verify_mac" ? "VerifyMac" : "GenerateMac";
    // Our fault alone makes boto3 try again.
    const std::string retried = status == 400 ? "" : " (reached max retries: 1)";
    json expected{
        {"class", exception},
        {"text", "An error occurred (" + exception + ") when calling the " + method + " operation" +
                     retried + ": " + message},
        {"Error", {{"Code", exception}, {"Message", message}}},
    };
    if (!message.empty()) expected["message"] = message;
    EXPECT_EQ(caught, expected);
  }
  static void ExpectTransport(const json& answer, int status) {
    const json& transport = answer.at("ResponseMetadata");
    EXPECT_EQ(transport.at("HTTPStatusCode"), status);
    EXPECT_EQ(transport.at("RetryAttempts"), status >= 500 ? 1 : 0);
    EXPECT_THAT(transport.at("RequestId").get<std::string>(), MatchesRegex(kUuid));
    EXPECT_EQ(transport.at("HTTPHeaders").at("x-amzn-requestid"), transport.at("RequestId"));
    EXPECT_EQ(transport.at("HTTPHeaders").at("content-type"), "application/x-amz-json-1.1");
  }

  std::string NewKey() { return CreateKey(service_.admin(), KeySpec::kHmac384); }
  static json MacOf(const std::string& key_id) {
    return {{"KeyId", key_id}, {"MacAlgorithm", "HMAC_SHA_384"}, {"Message", "Hello World"}};
  }
  json MacAnswerOf(const std::string& key_id) {
    return {{"KeyId", AwsService::Arn(key_id)},
            {"Mac", EncodeBase64(service_.MacByGrpc(key_id, "Hello World", KeySpec::kHmac384))},
            {"MacAlgorithm", "HMAC_SHA_384"}};
  }
  // A grant for the service, whose token it returns.
  std::string GrantToken(const std::string& key_id) {
    v1::CreateGrantRequest request;
    request.set_key_id(key_id);
    request.set_grantee_principal(AwsService::kServiceArn);
    request.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
    v1::CreateGrantResponse response;
    const Outcome made =
        service_.admin().Call(&v1::KeyService::Stub::CreateGrant, request, &response);
    EXPECT_TRUE(made.ok()) << made;
    return response.grant_token();
  }
  template <class Request, class Response>
  void Do(grpc::Status (v1::KeyService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                       Response*),
          const std::string& key_id) {
    Request request;
    request.set_key_id(key_id);
    Response response;
    const Outcome done = service_.admin().Call(method, request, &response);
    EXPECT_TRUE(done.ok()) << done;
  }

  AwsService& service_ = AwsService::Shared();
};

TEST_F(Boto3Test, AnswersTheDocumentedCallWithEveryParameter) {
  const std::string key = NewKey();
  json call = MacOf(AwsService::Arn(key));
  call["GrantTokens"] = {GrantToken(key)};
  call["DryRun"] = false;
  json answer = Call("generate_mac", call, {"AWS_PROFILE=" + std::string(AwsService::kService)});
  ExpectTransport(answer, 200);
  answer.erase("ResponseMetadata");
  EXPECT_EQ(answer, MacAnswerOf(key));
}

TEST_F(Boto3Test, KnowsNoDryRunWithoutTheModelOfOurs) {
  json call = MacOf(NewKey());
  call["DryRun"] = true;
  const Finished unknown = RunScript("call.py", {"generate_mac", call.dump()}, {"AWS_DATA_PATH="});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.errors, HasSubstr("\nUnknown parameter in input: \"DryRun\", must be one of: "
                                        "Message, KeyId, MacAlgorithm, GrantTokens\n"));
}

TEST_F(Boto3Test, CatchesNotFoundExceptionByClass) {
  ExpectCaught("NotFoundException", "generate_mac", MacOf("alias/none"),
               "Alias arn:aws:kms:us-west-2:111122223333:alias/none is not found.");
}

TEST_F(Boto3Test, CatchesDisabledExceptionByClass) {
  const std::string key = NewKey();
  Do(&v1::KeyService::Stub::DisableKey, key);
  ExpectCaught("DisabledException", "generate_mac", MacOf(key),
               AwsService::Arn(key) + " is disabled.");
}

TEST_F(Boto3Test, CatchesInvalidKeyUsageExceptionByClass) {
  json call = MacOf(NewKey());
  call["MacAlgorithm"] = "HMAC_SHA_512";
  ExpectCaught("InvalidKeyUsageException", "generate_mac", call,
               "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_384.");
}

TEST_F(Boto3Test, CatchesInvalidGrantTokenExceptionByClass) {
  json call = MacOf(NewKey());
  call["GrantTokens"] = {"nonsense"};
  ExpectCaught("InvalidGrantTokenException", "generate_mac", call,
               "The grant token is not valid: use it as CreateGrant returned it.");
}

TEST_F(Boto3Test, CatchesKMSInvalidStateExceptionByClass) {
  const std::string key = NewKey();
  Do(&v1::KeyService::Stub::ScheduleKeyDeletion, key);
  ExpectCaught("KMSInvalidStateException", "generate_mac", MacOf(key),
               AwsService::Arn(key) + " is pending deletion.");
}

TEST_F(Boto3Test, CatchesDryRunOperationExceptionByClass) {
  json call = MacOf(NewKey());
  call["DryRun"] = true;
  ExpectCaught("DryRunOperationException", "generate_mac", call,
               "The request would have succeeded, but the DryRun option is set.");
}

TEST_F(Boto3Test, CatchesKMSInvalidMacExceptionByClass) {
  json call = MacOf(NewKey());
  call["Mac"] = std::string(48, 'x');
  ExpectCaught("KMSInvalidMacException", "verify_mac", call, "");
}

TEST_F(Boto3Test, CatchesKeyUnavailableExceptionByClassAfterAnotherAttempt) {
  const std::string key = NewKey();
  service_.daemon().SetFaults(
      "C_SignInit rv=CKR_DEVICE_REMOVED\nC_OpenSession rv=CKR_DEVICE_REMOVED\n");
  ExpectCaught("KeyUnavailableException", "generate_mac", MacOf(key),
               "The key cannot be used now because its token does not serve it; repeat the "
               "request.",
               500);
  service_.daemon().SetFaults("");
  const auto makes_macs = [&] {
    return GenerateMac(service_.admin(), MacRequest(key, "m", KeySpec::kHmac384)).outcome.ok();
  };
  EXPECT_TRUE(Eventually(makes_macs, 30s));
}

TEST_F(Boto3Test, CatchesKMSInternalExceptionByClassAfterAnotherAttempt) {
  const std::string key = NewKey();
  WriteFile(service_.daemon().disk_control(), "fail 1 0\n");
  ExpectCaught("KMSInternalException", "generate_mac", MacOf(key),
               "The request could not be recorded, so it was not carried out.", 500);
  WriteFile(service_.daemon().disk_control(), "");
  EXPECT_TRUE(Eventually([&] { return DescribeKey(service_.admin(), key).ok(); }));
}

// No call is lost to the guard against replays, and none is carried out twice.
TEST_F(Boto3Test, GetsThroughWithEqualCallsInTheSameSecond) {
  const json parameters = {{"KeySpec", "HMAC_384"}, {"KeyUsage", "GENERATE_VERIFY_MAC"}};
  const std::size_t before = ListKeys(service_.admin()).size();
  const json answers = Answer("repeat.py", {"create_key", parameters.dump(), "3"});
  std::set<std::string> ids;
  for (const json& answer : answers) {
    EXPECT_EQ(answer.at("ResponseMetadata").at("HTTPStatusCode"), 200);
    ids.insert(answer.at("KeyMetadata").at("KeyId").get<std::string>());
  }
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_EQ(ListKeys(service_.admin()).size(), before + 3);
}

TEST_F(Boto3Test, PaginatesKeys) {
  for (int i = 0; i < 3; ++i) static_cast<void>(NewKey());
  const std::vector<std::string> keys = ListKeys(service_.admin());
  const json pages = Answer("pages.py", {"list_keys", "{}", "2"});
  ASSERT_EQ(pages.size(), (keys.size() + 1) / 2);
  json listed = json::array();
  for (const json& page : pages) {
    EXPECT_EQ(page.at("Truncated"), page != pages.back());
    EXPECT_EQ(page.contains("NextMarker"), page != pages.back());
    listed.insert(listed.end(), page.at("Keys").begin(), page.at("Keys").end());
  }
  json expected = json::array();
  for (const std::string& id : keys) {
    expected.push_back({{"KeyId", id}, {"KeyArn", AwsService::Arn(id)}});
  }
  EXPECT_EQ(listed, expected);
}

TEST_F(Boto3Test, PaginatesTheAliasesOfAKey) {
  const std::string key = NewKey();
  std::vector<std::string> names;
  for (const char* end : {"a", "b", "c"}) {
    names.push_back("alias/boto3-pages-" + std::string(end));
    service_.CreateAlias(names.back(), key);
  }
  const json pages = Answer("pages.py", {"list_aliases", json({{"KeyId", key}}).dump(), "1"});
  ASSERT_EQ(pages.size(), 3u);
  std::vector<std::string> listed;
  for (const json& page : pages) {
    ASSERT_EQ(page.at("Aliases").size(), 1u);
    EXPECT_EQ(page.at("Aliases")[0].at("TargetKeyId"), key);
    listed.push_back(page.at("Aliases")[0].at("AliasName"));
  }
  std::sort(listed.begin(), listed.end());
  EXPECT_EQ(listed, names);
}

TEST_F(Boto3Test, PaginatesTheGrantsOfAKey) {
  const std::string key = NewKey();
  for (int i = 0; i < 3; ++i) static_cast<void>(GrantToken(key));
  const json pages = Answer("pages.py", {"list_grants", json({{"KeyId", key}}).dump(), "2"});
  ASSERT_EQ(pages.size(), 2u);
  std::vector<std::string> ids;
  for (const json& page : pages) {
    for (const json& grant : page.at("Grants")) {
      EXPECT_EQ(grant.at("KeyId"), AwsService::Arn(key));
      EXPECT_EQ(grant.at("GranteePrincipal"), AwsService::kServiceArn);
      ids.push_back(grant.at("GrantId"));
    }
  }
  EXPECT_EQ(pages[0].at("Grants").size(), 2u);
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()) - ids.begin(), 3);
}

}  // namespace
}  // namespace hallmark::testing
