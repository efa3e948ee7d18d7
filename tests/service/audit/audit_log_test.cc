#include "service/audit/audit_log.h"

#include "hallmark/v1/admin.pb.h"
#include "hallmark/v1/explain.pb.h"
#include "hallmark/v1/kms.pb.h"
#include "proto/kms_names.h"
#include "service/system/system.h"
#include "tests/service/fake_clock.h"
#include "tests/support/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <memory>
#include <string>

namespace hallmark::audit {
namespace {

using hallmark::testing::TemporaryDirectory;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class AuditLogTest : public ::testing::Test {
 protected:
  AuditLogTest() {
    call_.request_id = "0b8bd6a4-36f4-4b1c-9c6c-4f5a2c1d7e90";
    call_.operation = Operation::kGenerateMac;
    call_.started = clock_.SteadyNow();
    call_.peer = "127.0.0.1:41234";
    call_.key_arn = "arn:aws:kms:us-west-2:111122223333:key/k";
    call_.decided_by = "identity policy: Everything";
    const PrincipalRecord alice{
        .unique_id = "AIDAhmALICE",
        .arn = *PrincipalArn::Parse("arn:aws:iam::111122223333:user/alice", site_)};
    call_.caller = std::make_shared<Principal>(Principal{alice, nullptr, {}, {}, {}});
  }

  json Recorded(const google::protobuf::Message& request, const Status& outcome) {
    return Recorded(&request, app::EventOf(call_), outcome);
  }
  json Recorded(const google::protobuf::Message* request, const app::AuditEvent& event,
                const Status& outcome) {
    auto slot = log_.Reserve(request);
    EXPECT_TRUE(slot.has_value());
    EXPECT_TRUE((*slot)->Write(event, outcome).has_value());
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) text_ = line;
    return json::parse(text_);
  }

  // As `Recorded`; the line must not be longer than what was reserved for it.
  static Status LongRefusal() {
    return Fail(Exception::kValidationException, "\u4e16" + std::string(100'000, '\x02'));
  }
  json RecordedWithinItsRoom(const google::protobuf::Message& request,
                             const Status& outcome = LongRefusal()) {
    call_.key_arn = std::string(100'000, '\x01');
    call_.decided_by = std::string(100'000, '"');
    call_.request_id = std::string(100'000, 'r');
    call_.peer = std::string(100'000, '\x7f') + ":1";
    call_.access_key_id = std::string(100'000, 'a');
    json record = Recorded(request, outcome);
    const std::size_t begin = text_.find("\"requestParameters\":") + 20;
    const std::size_t size = text_.find(",\"responseElements\"") - begin;
    EXPECT_LE(text_.size() + 1, size + AuditLog::kTailBytes);
    const bool has_policy = record["requestParameters"].contains("policy");
    EXPECT_LE(size, AuditLog::kMaxParameterBytes + (has_policy ? AuditLog::kMaxPolicyBytes : 0));
    return record;
  }

  const Site site_{"aws", "us-west-2"};
  const TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_.path() / "audit.jsonl";
  service::FakeClock clock_;
  service::OsRandom random_;
  std::unique_ptr<AuditFile> file_ = *AuditFile::Open(path_, std::make_shared<FileCalls>());
  AuditLog log_{{site_, "main"}, *file_, clock_, random_};
  app::CallContext call_;
  std::string text_;
};

TEST_F(AuditLogTest, ARecordHasTheShapeOfCloudTrails) {
  v1::GenerateMacRequest request;
  request.set_key_id("alias/demo");
  request.set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
  request.set_message("very secret");
  request.add_grant_tokens("a-grant-token");
  const json record = Recorded(request, {});
  EXPECT_EQ(record["eventName"], "GenerateMac");
  EXPECT_EQ(record["eventSource"], "kms.amazonaws.com");
  EXPECT_EQ(record["awsRegion"], "us-west-2");
  EXPECT_EQ(record["sourceIPAddress"], "127.0.0.1");
  EXPECT_EQ(record["readOnly"], true);
  EXPECT_EQ(record["responseElements"], nullptr);
  EXPECT_EQ(record["requestID"], call_.request_id);
  EXPECT_EQ(record["userIdentity"]["arn"], "arn:aws:iam::111122223333:user/alice");
  EXPECT_EQ(record["userIdentity"]["type"], "IAMUser");
  EXPECT_EQ(record["resources"][0]["ARN"], call_.key_arn);
  EXPECT_EQ(record["hallmark"]["decidedBy"], "identity policy: Everything");
  EXPECT_EQ(record["hallmark"]["token"], "main");
  EXPECT_FALSE(record.contains("errorCode"));
  // Neither the message nor a grant token.
  EXPECT_EQ(record["requestParameters"],
            (json{{"keyId", "alias/demo"}, {"macAlgorithm", "HMAC_SHA_256"}}));
  EXPECT_THAT(text_, Not(HasSubstr("secret")));
}

TEST_F(AuditLogTest, TheAccessKeyThatSignedIsPartOfTheIdentity) {
  EXPECT_FALSE(Recorded(v1::ListKeysRequest(), {})["userIdentity"].contains("accessKeyId"));
  call_.access_key_id = "HMAKALICE";
  const json record = Recorded(v1::ListKeysRequest(), {});
  EXPECT_EQ(record["userIdentity"]["accessKeyId"], "HMAKALICE");
  EXPECT_EQ(record["userIdentity"]["type"], "IAMUser");
}

TEST_F(AuditLogTest, ARefusalIsRecordedWithItsReason) {
  v1::DescribeKeyRequest request;
  request.set_key_id("k\n\"");
  call_.operation = Operation::kDescribeKey;
  const json record =
      Recorded(request, Fail(Exception::kAccessDeniedException, "User: x is not authorized"));
  EXPECT_EQ(record["errorCode"], "AccessDeniedException");
  EXPECT_EQ(record["errorMessage"], "User: x is not authorized");
  EXPECT_EQ(record["requestParameters"]["keyId"], "k\n\"");
}

TEST_F(AuditLogTest, WhoIsNotKnownIsRecordedToo) {
  call_.caller = nullptr;
  const json record =
      Recorded(v1::ListKeysRequest(), Fail(Exception::kUnrecognizedClientException, "nobody"));
  EXPECT_EQ(record["userIdentity"]["type"], "Unknown");
}

TEST_F(AuditLogTest, AdministrationIsTheOperatorsAndKeepsPoliciesButNoKeys) {
  v1::AddPrincipalRequest request;
  request.set_arn("arn:aws:iam::111122223333:user/bob");
  request.set_policy("{}");
  request.set_recipient_public_key("a public key");
  const json record = Recorded(&request,
                               {.source = app::AuditSource::kAdministration,
                                .name = "AddPrincipal",
                                .by_operator = true,
                                .peer = "unix:",
                                .request_id = call_.request_id,
                                .started = call_.started},
                               {});
  EXPECT_EQ(record["eventSource"], "hallmark.v1.AdminService");
  EXPECT_EQ(record["eventName"], "AddPrincipal");
  EXPECT_EQ(record["userIdentity"], (json{{"type", "Operator"}}));
  EXPECT_EQ(record["sourceIPAddress"], "unix");
  EXPECT_EQ(record["readOnly"], false);
  EXPECT_EQ(record["requestParameters"],
            (json{{"arn", "arn:aws:iam::111122223333:user/bob"}, {"policy", "{}"}}));
}

TEST_F(AuditLogTest, AStrangersRefusalSaysHowManyBeforeItHaveNoRecord) {
  call_.caller = nullptr;
  app::AuditEvent event = app::EventOf(call_);
  event.unrecorded = 41;
  const json record =
      Recorded(nullptr, event, Fail(Exception::kUnrecognizedClientException, "nobody"));
  EXPECT_EQ(record["requestParameters"], nullptr);
  EXPECT_EQ(record["sourceIPAddress"], "127.0.0.1");
  EXPECT_EQ(record["hallmark"]["unrecorded"], 41);
}

TEST_F(AuditLogTest, AListOfAnyLengthIsCutAndSaysSo) {
  v1::CreateGrantRequest request;
  request.set_key_id(std::string(1'000'000, '\x01'));
  request.set_grantee_principal(std::string(1'000'000, '"'));
  request.set_client_token("a-client-token");
  for (int i = 0; i < 60'000; ++i) {
    request.add_operations(v1::GRANT_OPERATION_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT);
  }
  call_.operation = Operation::kCreateGrant;
  const json record = RecordedWithinItsRoom(request);
  EXPECT_EQ(record["requestParameters"]["operations"].size(), 50U);
  EXPECT_EQ(record["requestParameters"]["operationsLeftOut"], 59'950);
  EXPECT_THAT(text_, Not(HasSubstr("a-client-token")));
}

TEST_F(AuditLogTest, ManyLongTextsHaveNoMoreRoomThanOneRequestMayTake) {
  v1::ExplainRequest explain;
  v1::TagResourceRequest tag;
  v1::UntagResourceRequest untag;
  for (int i = 0; i < 1'000; ++i) {
    v1::ContextValue& value = *explain.add_context();
    value.set_key(std::string(2'000, '\x01'));
    value.set_value(std::string(2'000, '\xff'));
    v1::Tag& added = *tag.add_tags();
    added.set_tag_key(std::string(128, '"'));
    added.set_tag_value(std::string(256, '\x02'));
    untag.add_tag_keys("");
  }
  RecordedWithinItsRoom(explain);
  RecordedWithinItsRoom(tag);
  RecordedWithinItsRoom(untag);
}

// The codec of JSON keeps it for the refusal.
TEST_F(AuditLogTest, ATextThatIsNoNameOfAnEnumIsRecordedAndCut) {
  v1::CreateGrantRequest request;
  const auto& operations = *request.GetDescriptor()->FindFieldByName("operations");
  proto::KeepUnknownName("Dance", operations, &request);
  request.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
  for (int i = 0; i < 100; ++i) {
    proto::KeepUnknownName(std::string(2'000, '\x01'), operations, &request);
  }
  call_.operation = Operation::kCreateGrant;
  // A refused call's parameters are not recorded at all where they are as long as these.
  const json recorded = RecordedWithinItsRoom(request, Status())["requestParameters"]["operations"];
  ASSERT_GT(recorded.size(), 3U);
  EXPECT_EQ(recorded[0], "Dance");
  EXPECT_EQ(recorded[1], "GenerateMac");
  EXPECT_LT(recorded[2].get<std::string>().size(), 2'000U);
}

TEST_F(AuditLogTest, APolicyIsWholeUpToTheLargestThatIsServed) {
  v1::CreateKeyRequest request;
  request.set_description(std::string(8192, '\x01'));
  request.set_policy(std::string(32'768, '\n'));
  EXPECT_EQ(RecordedWithinItsRoom(request, {})["requestParameters"]["policy"], request.policy());
  // Of a refused call they are left out.
  const json refused = RecordedWithinItsRoom(request);
  EXPECT_EQ(refused["requestParameters"], nullptr);
  EXPECT_GT(refused["hallmark"]["parameterBytesLeftOut"], 65'536);
  request.set_policy(std::string(32'768, '\x01'));
  RecordedWithinItsRoom(request);
  request.set_policy(std::string(4'000'000, ' '));
  RecordedWithinItsRoom(request);
  EXPECT_LT(text_.size(), 16'000U);
}

TEST_F(AuditLogTest, AnAddressIsThatOfConditions) {
  call_.peer = "[::1]:1";
  EXPECT_EQ(Recorded(v1::ListKeysRequest(), {})["sourceIPAddress"], "::1");
}

TEST_F(AuditLogTest, ASlotThatIsNotUsedGivesItsRoomBack) {
  for (int i = 0; i < 1000; ++i) {
    const v1::ListKeysRequest request;
    EXPECT_TRUE(log_.Reserve(&request).has_value());
  }
  EXPECT_EQ(std::filesystem::file_size(path_), 0U);
}

}  // namespace
}  // namespace hallmark::audit
