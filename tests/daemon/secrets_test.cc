// What an intruder on the machine would look through: the daemon's memory, which is what a core
// dump would hold, its logs, command line and environment.
#include "hallmark/v1/admin.grpc.pb.h"
#include "keystate/bytes.h"
#include "tests/daemon/calls.h"
#include "tests/support/test_daemon.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

struct Secret {
  std::string name;
  std::string bytes;
};

// "heap 0x55…: <name>" for every place of the process's memory that holds one of the secrets.
// Nothing if the memory cannot be read, since we are not root.
std::vector<std::string> FindInMemory(pid_t pid, const std::vector<Secret>& secrets,
                                      bool* readable) {
  const std::string process = "/proc/" + std::to_string(pid);
  const int memory = open((process + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  *readable = memory >= 0;
  std::vector<std::string> found;
  if (!*readable) return found;
  std::ifstream maps(process + "/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    char dash = 0;
    std::string access;
    std::istringstream fields(line);
    fields >> std::hex >> begin >> dash >> end >> access;
    if (access.empty() || access[0] != 'r') continue;
    std::string content(end - begin, '\0');
    // Some areas of the kernel's cannot be read; nothing of ours is there.
    const ssize_t got = pread(memory, content.data(), content.size(), static_cast<off_t>(begin));
    if (got <= 0) continue;
    content.resize(static_cast<std::size_t>(got));
    for (const Secret& secret : secrets) {
      const auto at =
          std::search(content.begin(), content.end(),
                      std::boyer_moore_horspool_searcher(secret.bytes.begin(), secret.bytes.end()));
      if (at != content.end()) found.push_back(secret.name + " in " + line);
    }
  }
  close(memory);
  return found;
}

class SecretsTest : public ::testing::Test {
 protected:
  SecretsTest() {
    daemon_.Start();
    std::string pin = ReadFile(daemon_.home() / "user.pin");
    while (!pin.empty() && pin.back() == '\n') pin.pop_back();
    secrets_.push_back({"the user PIN", pin});
  }

  // As `hallmark principal add` does it.
  void AddPrincipal(const std::string& arn) {
    const auto channel = grpc::CreateChannel("unix:" + (daemon_.home() / "admin.sock").string(),
                                             grpc::InsecureChannelCredentials());
    v1::AddPrincipalRequest request;
    request.set_arn(arn);
    request.set_certificate_fingerprint(
        FingerprintOf(daemon_.authority().IssueClient().certificate));
    v1::AddPrincipalResponse response;
    grpc::ClientContext context;
    ASSERT_TRUE(
        v1::AdminService::NewStub(channel)->AddPrincipal(&context, request, &response).ok());
    const std::string secret = response.secret_access_key();
    ASSERT_EQ(secret.size(), 64U);
    const Bytes raw = *FromHex(secret);
    secrets_.push_back({"a secret access key", secret});
    secrets_.push_back({"the bytes of a secret access key",
                        std::string(reinterpret_cast<const char*>(raw.data()), raw.size())});
  }

  TestDaemon daemon_;
  std::vector<Secret> secrets_;
};

TEST_F(SecretsTest, MemoryHoldsNoPinAndNoSecretAccessKey) {
  for (int i = 0; i < 3; ++i) {
    AddPrincipal("arn:aws:iam::111122223333:user/U" + std::to_string(i));
  }
  const std::string key = CreateKey(daemon_.admin());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(GenerateMac(daemon_.admin(), key, "Hello").outcome.ok());

  bool readable = false;
  // What must be found, or the search would prove nothing.
  EXPECT_FALSE(
      FindInMemory(daemon_.pid(), {{"the ARN of a principal", TestDaemon::kAdmin}}, &readable)
          .empty() &&
      readable);
  const std::vector<std::string> found = FindInMemory(daemon_.pid(), secrets_, &readable);
  if (!readable) {
    // Then nobody but root can.
    EXPECT_NE(geteuid(), 0U);
    return;
  }
  for (const std::string& place : found) ADD_FAILURE() << place;
}

TEST_F(SecretsTest, FilesCommandLineAndEnvironmentHoldNone) {
  AddPrincipal("arn:aws:iam::111122223333:user/Files");
  EXPECT_EQ(daemon_.Stop(), 0);
  daemon_.Start();
  const std::string process = "/proc/" + std::to_string(daemon_.pid());
  std::vector<std::filesystem::path> files{process + "/cmdline", process + "/environ"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(daemon_.home())) {
    if (entry.is_regular_file() && entry.path().filename() != "user.pin" &&
        entry.path().filename() != "so.pin") {
      files.push_back(entry.path());
    }
  }
  for (const auto& file : files) {
    const std::string content = ReadFile(file);
    for (const Secret& secret : secrets_) {
      EXPECT_EQ(content.find(secret.bytes), std::string::npos) << secret.name << " in " << file;
    }
  }
}

}  // namespace
}  // namespace hallmark::testing
