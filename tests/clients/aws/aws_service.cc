#include "tests/clients/aws/aws_service.h"

#include <gtest/gtest.h>

#include <fstream>

namespace hallmark::testing {

AwsService& AwsService::Shared() {
  static AwsService service;
  return service;
}

AwsService::AwsService() {
  daemon_.Start();
  const auto profile = [](const std::string& name, const AccessKey& key) {
    return "[" + name + "]\naws_access_key_id = " + key.id +
           "\naws_secret_access_key = " + key.secret + "\n";
  };
  settings_.Write("credentials",
                  profile(kAdmin, daemon_.admin().access_key) +
                      profile(kService, daemon_.AddPrincipal(kServiceArn, "").access_key));
  settings_.Write("ca.pem", daemon_.authority().certificate());
  folder_.Write("Message", "Hello World");
}

std::string AwsService::MacByGrpc(const std::string& key_id, const std::string& message,
                                  KeySpec spec) {
  const MacAnswer answer = GenerateMac(admin(), MacRequest(key_id, message, spec));
  EXPECT_TRUE(answer.outcome.ok()) << answer.outcome;
  return answer.mac;
}

void AwsService::CreateAlias(const std::string& alias, const std::string& key_id) {
  v1::CreateAliasRequest request;
  request.set_alias_name(alias);
  request.set_target_key_id(key_id);
  v1::CreateAliasResponse response;
  const Outcome made = admin().Call(&v1::KeyService::Stub::CreateAlias, request, &response);
  EXPECT_TRUE(made.ok()) << made;
}

int AwsService::Recorded(const std::string& operation) const {
  int records = 0;
  std::ifstream log(daemon_.audit_file());
  for (std::string line; std::getline(log, line);) {
    const auto record = nlohmann::json::parse(line, nullptr, false);
    // The service's own records name no operation.
    if (record.is_object() && record.value("eventName", "") == operation) ++records;
  }
  return records;
}

std::vector<std::string> AwsService::variables() const {
  const std::string ca = (settings_.path() / "ca.pem").string();
  return {"AWS_ENDPOINT_URL=" + daemon_.aws_url(),
          "AWS_CA_BUNDLE=" + ca,
          "NODE_EXTRA_CA_CERTS=" + ca,
          "AWS_SHARED_CREDENTIALS_FILE=" + (settings_.path() / "credentials").string(),
          "AWS_PROFILE=" + std::string(kAdmin),
          "AWS_DEFAULT_REGION=us-west-2",
          "AWS_REGION=us-west-2",
          "AWS_DATA_PATH=" HALLMARK_AWS_MODEL};
}

Finished AwsService::Run(const std::vector<std::string>& command,
                         const std::vector<std::string>& settings) const {
  // -i: the caller's own settings for AWS, and proxies, stay away.
  std::vector<std::string> line{"/usr/bin/env",
                                "-i",
                                "-C",
                                folder().string(),
                                "PATH=/usr/bin:/bin",
                                "HOME=" + folder().string()};
  for (const std::vector<std::string>& part : {variables(), settings, command}) {
    line.insert(line.end(), part.begin(), part.end());
  }
  return hallmark::testing::Run(line);
}

Finished AwsService::Shell(const std::string& command,
                           const std::vector<std::string>& settings) const {
  // By path: other versions may come first in PATH. They would find AWS_ENDPOINT_URL by themselves.
  const std::string aws =
      "set -eu -o pipefail\n"
      "aws() { /usr/bin/aws \"$@\" --endpoint-url \"$AWS_ENDPOINT_URL\"; }\n";
  return Run({"/bin/bash", "-c", aws + command}, settings);
}

nlohmann::json AwsService::Aws(const std::string& command,
                               const std::vector<std::string>& settings) const {
  const Finished finished = Shell("aws " + command, settings);
  EXPECT_EQ(finished.exit_code, 0) << command;
  EXPECT_EQ(finished.errors, "") << command;
  if (finished.output.empty()) return nullptr;
  nlohmann::json answer = nlohmann::json::parse(finished.output, nullptr, false);
  EXPECT_FALSE(answer.is_discarded()) << command << ": " << finished.output;
  return answer;
}

std::string CliRefusal(const std::string& exception, const std::string& operation,
                       const std::string& message) {
  return "\nAn error occurred (" + exception + ") when calling the " + operation +
         " operation: " + message + "\n";
}

}  // namespace hallmark::testing
