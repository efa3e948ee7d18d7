// The example clients, as a user runs them, against the real daemon.
#include "tests/clients/npm_packages.h"
#include "tests/daemon/calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

using ::testing::AnyOf;
using ::testing::StartsWith;

// As `deploy/quickstart` makes it, with an administrator's certificate.
class Service {
 public:
  Service() {
    daemon_.Start();
    const Client& admin = daemon_.admin();
    key_id_ = CreateKey(admin);
    v1::CreateAliasRequest request;
    request.set_alias_name("alias/demo");
    request.set_target_key_id(key_id_);
    v1::CreateAliasResponse response;
    const Outcome made = admin.Call(&v1::KeyService::Stub::CreateAlias, request, &response);
    EXPECT_TRUE(made.ok()) << made;
    WriteFile(certificates_.path() / "ca.pem", daemon_.authority().certificate());
    WriteFile(certificates_.path() / "cert.pem", admin.credentials.certificate);
    WriteFile(certificates_.path() / "cert.key", admin.credentials.private_key);
  }

  const Client& admin() { return daemon_.admin(); }
  // By name: Node.js warns of TLS to an IP address.
  std::string target() const {
    return "localhost" + daemon_.target().substr(daemon_.target().rfind(':'));
  }
  std::string arn() const { return "arn:aws:kms:us-west-2:111122223333:key/" + key_id_; }
  std::vector<std::string> EnvironmentFor(const std::string& target) const {
    const auto variable = [this](const std::string& name, const char* file) {
      return name + "=" + (certificates_.path() / file).string();
    };
    return {"HALLMARK_TARGET=" + target, variable("HALLMARK_CA", "ca.pem"),
            variable("HALLMARK_CERT", "cert.pem"), variable("HALLMARK_KEY", "cert.key")};
  }

 private:
  TestDaemon daemon_;
  TemporaryDirectory certificates_;
  std::string key_id_;
};

// A program, and what must be there before it runs.
struct ExampleClient {
  const char* name;
  std::vector<std::string> command;
  std::string environment;
  void (*prepare)();

  friend std::ostream& operator<<(std::ostream& out, const ExampleClient& client) {
    return out << client.name;
  }
};

const std::filesystem::path& StubFolder() {
  static const TemporaryDirectory kFolder;
  return kFolder.path();
}

void GeneratePythonStubs() {
  const Finished made =
      Run({"/usr/bin/protoc", "-I", HALLMARK_PROTO, "--python_out=" + StubFolder().string(),
           "--grpc_out=" + StubFolder().string(),
           "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", "hallmark/v1/options.proto",
           "hallmark/v1/explain.proto", "hallmark/v1/kms.proto", "google/rpc/status.proto",
           "google/rpc/error_details.proto"});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
}

void InstallNodePackages() { InstallNpmPackages(HALLMARK_CLIENTS "/node", HALLMARK_NODE_FOLDER); }

void NeedNothing() {}

class ClientsTest : public ::testing::TestWithParam<ExampleClient> {
 protected:
  static void SetUpTestSuite() { service_ = new Service; }
  static void TearDownTestSuite() { delete service_; }
  void SetUp() override { GetParam().prepare(); }

  static Finished RunAgainst(const std::string& target,
                             const std::vector<std::string>& arguments = {}) {
    std::vector<std::string> command = GetParam().command;
    command.insert(command.end(), arguments.begin(), arguments.end());
    std::vector<std::string> environment = service_->EnvironmentFor(target);
    if (!GetParam().environment.empty()) environment.push_back(GetParam().environment);
    return hallmark::testing::Run(command, environment);
  }

  static inline Service* service_ = nullptr;
};

TEST_P(ClientsTest, MakesAMacAndVerifiesItAndIsRefusedAWrongOne) {
  const MacAnswer answer = GenerateMac(service_->admin(), "alias/demo", "Hello World");
  ASSERT_TRUE(answer.outcome.ok()) << answer.outcome;

  const Finished finished = RunAgainst(service_->target());
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.errors, "");
  EXPECT_EQ(finished.output, "MAC: " + ToHex(AsBytes(answer.mac)) + "\nverified by " +
                                 service_->arn() +
                                 "\nfor another message: KMSInvalidMacException\n");
}

TEST_P(ClientsTest, UsesTheGivenKeyForTheGivenMessage) {
  const MacAnswer answer = GenerateMac(service_->admin(), service_->arn(), "another\xC3\xA9");
  ASSERT_TRUE(answer.outcome.ok()) << answer.outcome;

  const Finished finished = RunAgainst(service_->target(), {service_->arn(), "another\xC3\xA9"});
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, StartsWith("MAC: " + ToHex(AsBytes(answer.mac)) + "\n"));
}

TEST_P(ClientsTest, EndsARefusalWithTheNameOfItsException) {
  const Finished finished = RunAgainst(service_->target(), {"alias/none"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(finished.output, "");
  EXPECT_EQ(
      finished.errors,
      "NotFoundException: Alias arn:aws:kms:us-west-2:111122223333:alias/none is not found.\n");
}

TEST_P(ClientsTest, EndsWhenNobodyAnswers) {
  const Finished finished = RunAgainst("127.0.0.1:1");
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(finished.output, "");
  EXPECT_THAT(finished.errors, AnyOf(StartsWith("UNAVAILABLE: "), StartsWith("gRPC status 14: ")));
}

INSTANTIATE_TEST_SUITE_P(
    Of, ClientsTest,
    ::testing::Values(ExampleClient{"Cpp", {HALLMARK_BINARY_DIR "/mac_client"}, "", &NeedNothing},
                      ExampleClient{"Python",
                                    {"/usr/bin/python3", HALLMARK_CLIENTS "/python/mac.py"},
                                    "PYTHONPATH=" + StubFolder().string(),
                                    &GeneratePythonStubs},
                      ExampleClient{"Node",
                                    {"/usr/bin/node", HALLMARK_CLIENTS "/node/mac.js"},
                                    "NODE_PATH=" HALLMARK_NODE_FOLDER "/node_modules",
                                    &InstallNodePackages}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace hallmark::testing
