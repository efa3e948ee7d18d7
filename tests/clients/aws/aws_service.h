// What the tests of this folder share: a daemon as `deploy/quickstart` makes it, and the AWS
// clients of this machine, which know no more of it than `. ~/.hallmark/env` tells them.
#pragma once

#include "tests/daemon/calls.h"
#include "tests/support/test_daemon.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace hallmark::testing {

class AwsService {
 public:
  // Profiles of the credentials file.
  static constexpr const char* kAdmin = "hallmark";
  static constexpr const char* kService = "service";  // without any policy
  static constexpr const char* kServiceArn = "arn:aws:iam::111122223333:user/Service";

  // One for all tests of the process.
  static AwsService& Shared();

  TestDaemon& daemon() { return daemon_; }
  const Client& admin() { return daemon_.admin(); }
  static std::string Arn(const std::string& key_id) {
    return "arn:aws:kms:us-west-2:111122223333:key/" + key_id;
  }
  // What gRPC answers; fails the test if it is refused.
  std::string MacByGrpc(const std::string& key_id, const std::string& message, KeySpec spec);
  void CreateAlias(const std::string& alias, const std::string& key_id);
  // Records of the operation in the audit log.
  int Recorded(const std::string& operation) const;

  // The current folder of the programs; it has a file `Message` with "Hello World".
  const std::filesystem::path& folder() const { return folder_.path(); }

  // "NAME=value" of what a client finds in its environment.
  std::vector<std::string> variables() const;
  // Runs a program with nothing else in its environment but PATH and HOME; `settings`
  // ("AWS_PROFILE=service") are added and win.
  Finished Run(const std::vector<std::string>& command,
               const std::vector<std::string>& settings = {}) const;
  // Runs a command of bash in which `aws` is Debian's AWS CLI and has the one flag that it needs.
  Finished Shell(const std::string& command, const std::vector<std::string>& settings = {}) const;
  // What a command of the AWS CLI answers; null for no output. Fails the test if it is refused.
  nlohmann::json Aws(const std::string& command,
                     const std::vector<std::string>& settings = {}) const;

 private:
  AwsService();

  TestDaemon daemon_{TestDaemon::Options{.full_disk = true, .aws = true}};
  TemporaryDirectory folder_;
  // Apart from the current folder: nobody's commands need to see secrets.
  TemporaryDirectory settings_;
};

// What the AWS CLI says of a refusal.
std::string CliRefusal(const std::string& exception, const std::string& operation,
                       const std::string& message);

}  // namespace hallmark::testing
