// The audit log of a running daemon: nothing is answered that is not recorded, wherever the disk is
// full, and no secret is ever in it.
#include "keystate/bytes.h"
#include "tests/daemon/calls.h"
#include "tests/daemon/generic_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kInternal = "KMSInternalException";

struct Answer {
  std::string operation;
  std::string request_id;
  Outcome outcome;

  // What the caller was told, except that it could not be recorded.
  bool tells() const { return outcome.exception != kInternal; }
};

std::string Base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// A daemon for all tests, whose disk is full when they say so.
class AuditTest : public ::testing::Test {
 protected:
  struct World {
    World() {
      daemon.Start();
      admin = daemon.AddPrincipal(TestDaemon::kAdmin, TestDaemon::kAllowAll);
      grantee = daemon.AddPrincipal(kGrantee, "");
      key_id = CreateKey(admin);
    }

    TestDaemon daemon{TestDaemon::Options{.full_disk = true}};
    Client admin;
    Client grantee;
    std::string key_id;
  };
  static constexpr const char* kGrantee = "arn:aws:iam::111122223333:user/Grantee";

  static World& SharedWorld() {
    static World world;
    return world;
  }

  void TearDown() override { HaveRoom(); }

  // "fail 3 1", as in the control file of the full disk; "" for room again.
  void SetDisk(const std::string& order) {
    std::filesystem::remove(struck_);
    WriteFile(daemon_.disk_control(), order + "\n");
  }
  bool struck() const { return std::filesystem::exists(struck_); }

  // Room again, and the service back by itself.
  void HaveRoom() {
    SetDisk("");
    ASSERT_TRUE(Eventually([&] { return DescribeKey(world_.admin, world_.key_id).ok(); }));
  }

  template <class Request, class Response>
  Answer Ask(const Client& client, const char* operation,
             grpc::Status (v1::KeyService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Response*),
             const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 30s);
    const grpc::Status status = (client.keys.get()->*method)(&context, request, response);
    std::string request_id;
    const auto& metadata = context.GetServerInitialMetadata();
    if (const auto id = metadata.find("x-hallmark-request-id"); id != metadata.end()) {
      request_id.assign(id->second.data(), id->second.size());
    }
    return {operation, request_id, OutcomeOf(status)};
  }

  // Calls of many kinds, each of which ends in its own way if it is recorded.
  std::vector<Answer> RunSession();

  TestDaemon& daemon_ = SharedWorld().daemon;
  const World& world_ = SharedWorld();
  const std::filesystem::path struck_ = daemon_.disk_control().string() + ".struck";
  // What must never be in the file.
  std::vector<std::string> secrets_;
};

std::vector<Answer> AuditTest::RunSession() {
  using Stub = v1::KeyService::Stub;
  std::vector<Answer> answers;
  const auto tell = [&](Answer answer) { answers.push_back(std::move(answer)); };
  const std::string message = "a message that nobody else may read";
  secrets_.insert(secrets_.end(), {message, Base64(message), ToHex(AsBytes(message))});

  v1::CreateKeyRequest create = CreateKeyRequestFor(KeySpec::kHmac256);
  create.set_client_token("client-token-" + std::to_string(secrets_.size()));
  secrets_.push_back(create.client_token());
  v1::CreateKeyResponse created;
  tell(Ask(world_.admin, "CreateKey", &Stub::CreateKey, create, &created));

  const v1::GenerateMacRequest generate = MacRequest(world_.key_id, message);
  v1::GenerateMacResponse mac;
  tell(Ask(world_.admin, "GenerateMac", &Stub::GenerateMac, generate, &mac));
  if (!mac.mac().empty()) {
    secrets_.insert(secrets_.end(), {mac.mac(), Base64(mac.mac()), ToHex(AsBytes(mac.mac()))});
  }
  tell(Ask(world_.grantee, "GenerateMac", &Stub::GenerateMac, generate, &mac));
  v1::GenerateMacRequest dry_run = generate;
  dry_run.set_dry_run(true);
  tell(Ask(world_.admin, "GenerateMac", &Stub::GenerateMac, dry_run, &mac));
  v1::GenerateMacRequest too_long = generate;
  too_long.set_message(std::string(4097, 'm'));
  tell(Ask(world_.admin, "GenerateMac", &Stub::GenerateMac, too_long, &mac));

  v1::GenerateMacRequest odd_token = generate;
  odd_token.add_grant_tokens(std::string(8193, 't'));
  secrets_.emplace_back("tttttttt");
  tell(Ask(world_.admin, "GenerateMac", &Stub::GenerateMac, odd_token, &mac));
  v1::CreateKeyRequest odd_create = CreateKeyRequestFor(KeySpec::kHmac256);
  odd_create.set_client_token(std::string(129, 'c'));
  secrets_.emplace_back("cccccccc");
  tell(Ask(world_.admin, "CreateKey", &Stub::CreateKey, odd_create, &created));

  v1::PutKeyPolicyRequest put;
  put.set_key_id(world_.key_id);
  put.set_policy(
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*",
          "Principal":{"AWS":"arn:aws:iam::111122223333:root"}}]})");
  v1::PutKeyPolicyResponse replaced;
  tell(Ask(world_.admin, "PutKeyPolicy", &Stub::PutKeyPolicy, put, &replaced));

  v1::CreateGrantRequest grant;
  grant.set_key_id(world_.key_id);
  grant.set_grantee_principal(kGrantee);
  grant.add_operations(v1::GRANT_OPERATION_VERIFY_MAC);
  grant.set_name("session");
  grant.set_client_token("grant-client-token-" + std::to_string(secrets_.size()));
  secrets_.push_back(grant.client_token());
  v1::CreateGrantResponse granted;
  tell(Ask(world_.admin, "CreateGrant", &Stub::CreateGrant, grant, &granted));
  v1::CreateGrantRequest odd_grant = grant;
  odd_grant.set_client_token(std::string(129, 'g'));
  secrets_.emplace_back("gggggggg");
  v1::CreateGrantResponse refused;
  tell(Ask(world_.admin, "CreateGrant", &Stub::CreateGrant, odd_grant, &refused));

  v1::VerifyMacRequest verify;
  verify.set_key_id(world_.key_id);
  verify.set_message(message);
  verify.set_mac_algorithm(generate.mac_algorithm());
  verify.set_mac(std::string(32, '\x5a'));
  if (!granted.grant_token().empty()) {
    verify.add_grant_tokens(granted.grant_token());
    secrets_.push_back(granted.grant_token());
  }
  v1::VerifyMacResponse verified;
  tell(Ask(world_.grantee, "VerifyMac", &Stub::VerifyMac, verify, &verified));

  v1::RevokeGrantRequest revoke;
  revoke.set_key_id(world_.key_id);
  revoke.set_grant_id(granted.grant_id().empty() ? std::string(64, '0') : granted.grant_id());
  v1::RevokeGrantResponse revoked;
  tell(Ask(world_.admin, "RevokeGrant", &Stub::RevokeGrant, revoke, &revoked));
  return answers;
}

// The records behind `offset`, by request id; every line must be whole.
std::map<std::string, std::vector<json>> ReadRecords(const std::string& file) {
  std::map<std::string, std::vector<json>> records;
  EXPECT_TRUE(file.empty() || file.back() == '\n');
  std::istringstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object()) {
      ADD_FAILURE() << "not a whole record: " << line;
    } else if (record.at("eventType") != "AuditResumed") {
      records[record.at("requestID")].push_back(record);
    }
  }
  return records;
}

// Every answer is recorded once with what was answered, and nothing else is.
void ExpectRecorded(const std::vector<Answer>& answers, const std::string& file) {
  const auto records = ReadRecords(file);
  for (const Answer& answer : answers) {
    SCOPED_TRACE(answer.operation + " " + answer.request_id);
    ASSERT_THAT(answer.request_id, Not(IsEmpty()));
    const auto found = records.find(answer.request_id);
    if (!answer.tells()) {
      EXPECT_EQ(found, records.end()) << answer.outcome;
      continue;
    }
    ASSERT_NE(found, records.end()) << answer.outcome;
    ASSERT_EQ(found->second.size(), 1U);
    const json& record = found->second.front();
    EXPECT_EQ(record.at("eventName"), answer.operation);
    EXPECT_EQ(record.value("errorCode", ""), answer.outcome.exception);
  }
}

void ExpectAbsent(const std::vector<std::string>& secrets, const std::string& file) {
  for (const std::string& secret : secrets) EXPECT_THAT(file, Not(HasSubstr(secret)));
}

TEST_F(AuditTest, RecordsEveryAnswerAndNoSecret) {
  const std::vector<Answer> answers = RunSession();
  const std::vector<std::string> outcomes{"",
                                          "",
                                          "AccessDeniedException",
                                          "DryRunOperationException",
                                          "ValidationException",
                                          "ValidationException",
                                          "ValidationException",
                                          "",
                                          "",
                                          "ValidationException",
                                          "KMSInvalidMacException",
                                          ""};
  ASSERT_EQ(answers.size(), outcomes.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].outcome.exception, outcomes[i]) << i << " " << answers[i].outcome;
    ExpectAbsent(secrets_, answers[i].outcome.message);
  }
  const std::string file = ReadFile(daemon_.audit_file());
  ExpectRecorded(answers, file);
  ExpectAbsent(secrets_, file);
}

TEST_F(AuditTest, HealthFollowsTheDisk) {
  EXPECT_TRUE(Eventually([&] { return CheckHealth(world_.admin.channel) == Health::kServing; }));
  SetDisk("fail 1 0");
  EXPECT_EQ(DescribeKey(world_.admin, world_.key_id).exception, kInternal);
  EXPECT_TRUE(Eventually([&] { return CheckHealth(world_.admin.channel) == Health::kNotServing; }));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(DescribeKey(world_.admin, world_.key_id).exception, kInternal);
  }
  SetDisk("");
  // Nobody calls meanwhile.
  EXPECT_TRUE(Eventually([&] { return CheckHealth(world_.admin.channel) == Health::kServing; }));
  EXPECT_TRUE(DescribeKey(world_.admin, world_.key_id).ok());
}

struct Outage {
  const char* name;
  const char* how;
  int calls;  // 0: until there is room again
};

class FullDiskTest : public AuditTest, public ::testing::WithParamInterface<Outage> {};

TEST_P(FullDiskTest, NothingIsAnsweredThatIsNotRecorded) {
  constexpr int kEnough = 100;
  int first = 1;
  for (;; ++first) {
    ASSERT_LT(first, kEnough) << "there is always something that goes wrong";
    const std::string order = std::string(GetParam().how) + " " + std::to_string(first) + " " +
                              std::to_string(GetParam().calls);
    SCOPED_TRACE(order);
    const std::size_t before = ReadFile(daemon_.audit_file()).size();
    SetDisk(order);
    const std::vector<Answer> answers = RunSession();
    const bool met = struck();
    HaveRoom();
    const std::string file = ReadFile(daemon_.audit_file()).substr(before);
    ExpectRecorded(answers, file);
    ExpectAbsent(secrets_, file);
    if (!met) break;
    if (HasFatalFailure()) return;
  }
  // As many as there are answers, or the calls were never in the way.
  EXPECT_GT(first, 12);
}

INSTANTIATE_TEST_SUITE_P(Outages, FullDiskTest,
                         ::testing::ValuesIn<Outage>({
                             {"OneCallFails", "fail", 1},
                             {"TheCleaningUpFailsToo", "fail", 2},
                             {"TheFirstAttemptToRecoverFailsToo", "fail", 3},
                             {"TheAttemptToRecoverFailsLate", "fail", 5},
                             {"EverythingFails", "fail", 0},
                             {"HalfALineAndThenTheRest", "short", 1},
                             {"HalfALineThatIsCutOff", "short", 2},
                             {"HalfALineThatStays", "short", 3},
                             {"HalfALineAndNothingMore", "short", 0},
                         }),
                         [](const auto& outage) { return std::string(outage.param.name); });

}  // namespace
}  // namespace hallmark::testing
