// What principals may do, changed by `hallmark principal` while they are connected; and the record
// of it.
#include "tests/daemon/calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sstream>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kUser = "arn:aws:iam::111122223333:user/Someone";
constexpr const char* kRole = "arn:aws:iam::111122223333:role/Service";
constexpr const char* kSession = "arn:aws:sts::111122223333:assumed-role/Service/s";
constexpr const char* kReadsOnly =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Describe*",)"
    R"("Resource":"*"}})";
constexpr const char* kTeamOrders =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:GenerateMac",)"
    R"("Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"orders"}}}})";

class PermissionsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    daemon_ = new TestDaemon;
    daemon_->Start();
    key_ = new std::string(CreateKey(daemon_->admin()));
  }
  static void TearDownTestSuite() {
    delete key_;
    delete daemon_;
  }
  void TearDown() override {
    for (const char* arn : {kUser, kRole}) static_cast<void>(daemon_->RemovePrincipal(arn));
  }

  // `hallmark principal VERB --arn ARN`.
  static Finished Principal(const std::string& verb, const std::string& arn,
                            const std::vector<std::string>& flags = {}) {
    std::vector<std::string> line{HALLMARK_BINARY_DIR "/hallmark", "principal", verb, "--home",
                                  daemon_->home().string(),        "--arn",     arn};
    line.insert(line.end(), flags.begin(), flags.end());
    return hallmark::testing::Run(line, daemon_->environment());
  }
  static void Change(const std::string& verb, const std::string& arn,
                     const std::vector<std::string>& flags = {}) {
    const Finished changed = Principal(verb, arn, flags);
    EXPECT_EQ(changed.exit_code, 0) << verb << ": " << changed.errors;
  }
  static void Attach(const std::string& arn, const std::string& policy,
                     std::vector<std::string> flags = {}) {
    WriteFile(daemon_->home() / "policy.json", policy);
    flags.insert(flags.begin(), {"--policy", daemon_->home() / "policy.json"});
    Change("attach-policy", arn, flags);
  }
  static nlohmann::json Shown(const std::string& arn) {
    return nlohmann::json::parse(Principal("show", arn).output)["Principal"];
  }
  static Outcome Try(const Client& client) { return GenerateMac(client, *key_, "m").outcome; }
  static void ExpectAllowed(const Client& client) {
    const Outcome outcome = Try(client);
    EXPECT_TRUE(outcome.ok()) << outcome;
  }
  // Refused, with this at the end of the text.
  static void ExpectRefused(const Client& client, const std::string& because) {
    const Outcome outcome = Try(client);
    EXPECT_EQ(outcome.exception, "AccessDeniedException") << outcome;
    EXPECT_THAT(outcome.message, HasSubstr(because));
  }
  // Records of the audit log with this event name.
  static std::vector<nlohmann::json> Records(const std::string& event) {
    std::vector<nlohmann::json> records;
    std::istringstream lines(ReadFile(daemon_->home() / "audit.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      auto record = nlohmann::json::parse(line);
      if (record["eventName"] == event) records.push_back(std::move(record));
    }
    return records;
  }

  static TestDaemon* daemon_;
  static std::string* key_;
};

TestDaemon* PermissionsTest::daemon_ = nullptr;
std::string* PermissionsTest::key_ = nullptr;

TEST_F(PermissionsTest, APolicyCountsOnOpenConnectionsFromWhenItIsAttachedUntilItIsDetached) {
  const Client client = daemon_->AddPrincipal(kUser, "");
  ExpectRefused(client, "because no identity-based policy allows the kms:GenerateMac action");
  Attach(kUser, TestDaemon::kAllowAll);
  ExpectAllowed(client);
  Attach(kUser, kReadsOnly);
  ExpectRefused(client, "because no identity-based policy allows the kms:GenerateMac action");
  Attach(kUser, TestDaemon::kAllowAll);
  Change("detach-policy", kUser);
  ExpectRefused(client, "because no identity-based policy allows the kms:GenerateMac action");
}

TEST_F(PermissionsTest, ABoundaryLimitsWhatThePolicyAllows) {
  const Client client = daemon_->AddPrincipal(kUser, TestDaemon::kAllowAll);
  ExpectAllowed(client);
  Attach(kUser, kReadsOnly, {"--permissions-boundary"});
  ExpectRefused(client, "because no permissions boundary allows the kms:GenerateMac action");
  EXPECT_EQ(Shown(kUser)["PermissionsBoundary"], kReadsOnly);
  Change("detach-policy", kUser, {"--permissions-boundary"});
  ExpectAllowed(client);
}

TEST_F(PermissionsTest, ATagDecidesWhereAPolicyAsksForIt) {
  const Client client = daemon_->AddPrincipal(kUser, kTeamOrders);
  ExpectRefused(client, "because no identity-based policy allows");
  Change("tag", kUser, {"--tags", "Key=team,Value=orders", "Key=stage,Value=test"});
  ExpectAllowed(client);
  Change("tag", kUser, {"--tags", "Key=team,Value=shop"});
  ExpectRefused(client, "because no identity-based policy allows");
  Change("tag", kUser, {"--tags", "Key=team,Value=orders"});
  Change("untag", kUser, {"--tag-keys", "stage", "team"});
  ExpectRefused(client, "because no identity-based policy allows");
  EXPECT_THAT(Shown(kUser)["Tags"], IsEmpty());
}

TEST_F(PermissionsTest, ASessionHasWhatItsRoleHasWithinItsSessionPolicy) {
  static_cast<void>(daemon_->AddPrincipal(kRole, ""));
  const Client session = daemon_->AddPrincipal(kSession, "");
  ExpectRefused(session, "because no identity-based policy allows");
  Attach(kRole, kTeamOrders);
  Change("tag", kRole, {"--tags", "Key=team,Value=orders"});
  ExpectAllowed(session);
  Change("tag", kSession, {"--tags", "Key=team,Value=shop"});
  ExpectRefused(session, "because no identity-based policy allows");
  Change("untag", kSession, {"--tag-keys", "team"});
  Attach(kSession, kReadsOnly);
  ExpectRefused(session, "because no session policy allows the kms:GenerateMac action");
  Change("detach-policy", kSession);
  Attach(kRole, kReadsOnly, {"--permissions-boundary"});
  ExpectRefused(session, "because no permissions boundary allows");
  Change("detach-policy", kRole, {"--permissions-boundary"});
  ExpectAllowed(session);

  const Finished refused =
      Principal("attach-policy", kSession,
                {"--policy", daemon_->home() / "policy.json", "--permissions-boundary"});
  EXPECT_EQ(refused.exit_code, 254);
  EXPECT_THAT(refused.errors, HasSubstr(kRole));
}

TEST_F(PermissionsTest, WithoutADaemonTheyChangeInTheStore) {
  const Client client = daemon_->AddPrincipal(kUser, "");
  ASSERT_EQ(daemon_->Stop(), 0);
  Attach(kUser, kTeamOrders);
  Attach(kUser, TestDaemon::kAllowAll, {"--permissions-boundary"});
  Change("tag", kUser, {"--tags", "Key=team,Value=orders"});
  daemon_->Start();
  ExpectAllowed(daemon_->Connect(client.credentials));
}

TEST_F(PermissionsTest, APolicyThatIsNotUnderstoodIsRefusedWithThePlace) {
  const Client client = daemon_->AddPrincipal(kUser, TestDaemon::kAllowAll);
  WriteFile(daemon_->home() / "policy.json",
            R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*",)"
            R"("Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"yes"}}}})");
  const Finished refused =
      Principal("attach-policy", kUser, {"--policy", daemon_->home() / "policy.json"});
  EXPECT_EQ(refused.exit_code, 254);
  EXPECT_THAT(refused.errors, HasSubstr("(MalformedPolicyDocumentException)"));
  EXPECT_THAT(refused.errors, HasSubstr("Condition"));
  ExpectAllowed(client);
}

TEST_F(PermissionsTest, AdministrationIsOnRecord) {
  static_cast<void>(daemon_->AddPrincipal(kUser, ""));
  Attach(kUser, kReadsOnly);
  Change("tag", kUser, {"--tags", "Key=audited,Value=yes"});
  ASSERT_THAT(Records("AttachPolicy"), Not(IsEmpty()));
  const nlohmann::json attached = Records("AttachPolicy").back();
  EXPECT_EQ(attached["userIdentity"]["type"], "Operator");
  EXPECT_EQ(attached["requestParameters"],
            (nlohmann::json{{"arn", kUser}, {"policy", kReadsOnly}}));
  const nlohmann::json added = Records("AddPrincipal").back();
  EXPECT_EQ(added["requestParameters"]["arn"], kUser);
  const nlohmann::json tagged = Records("TagPrincipal").back();
  EXPECT_EQ(tagged["requestParameters"]["tags"],
            (nlohmann::json::array({{{"key", "audited"}, {"value", "yes"}}})));
}

TEST_F(PermissionsTest, AStrangersCallsAreOnRecordButOneASecond) {
  const Client stranger = daemon_->Connect(daemon_->authority().IssueClient());
  constexpr std::size_t kCalls = 20;
  const std::size_t before = Records("GenerateMac").size();
  for (std::size_t i = 0; i < kCalls; ++i) {
    EXPECT_EQ(Try(stranger).exception, "UnrecognizedClientException");
  }
  std::size_t recorded = 0;
  std::int64_t unrecorded = 0;
  const auto records = Records("GenerateMac");
  for (std::size_t i = before; i < records.size(); ++i) {
    EXPECT_EQ(records[i]["userIdentity"]["type"], "Unknown");
    EXPECT_EQ(records[i]["errorCode"], "UnrecognizedClientException");
    EXPECT_EQ(records[i]["sourceIPAddress"], "127.0.0.1");
    EXPECT_EQ(records[i]["requestParameters"], nullptr);
    ++recorded;
    unrecorded += records[i]["hallmark"].value("unrecorded", std::int64_t{0});
  }
  EXPECT_GE(recorded, 1U);
  EXPECT_LE(recorded + static_cast<std::size_t>(unrecorded), kCalls);
}

}  // namespace
}  // namespace hallmark::testing
