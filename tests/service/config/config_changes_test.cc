// What a file that is read again changes.
#include "service/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::service {
namespace {

constexpr const char* kToken = "[token.main]\nmodule = \"m.so\"\nuri = \"pkcs11:token=t\"\n";

class ConfigChangesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "hallmark-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Of a file without mistakes.
  Config Load(const std::string& text) const {
    const auto file = folder_ / "hallmarkd.toml";
    std::ofstream(file) << text;
    auto config = LoadConfig(file);
    if (!config.has_value()) {
      std::fprintf(stderr, "%s\n", config.error().front().message.c_str());
      std::abort();
    }
    return *std::move(config);
  }

 private:
  std::filesystem::path folder_;
};

// The keys that differ, with "!" before those that wait for the next start.
std::vector<std::string> Changed(const Config& running, const Config& wanted) {
  std::vector<std::string> keys;
  for (const ConfigChange& change : ChangedKeys(running, wanted)) {
    keys.push_back((change.effect == Effect::kLive ? "" : "!") + change.key);
  }
  return keys;
}

TEST_F(ConfigChangesTest, EveryKeyThatDiffersIsNamed) {
  const Config defaults = Load(kToken);
  const Config other = Load(R"(endpoints_file = "e"
default_token = "main"
[site]
partition = "p"
region = "r"
[grpc]
listen = "127.0.0.1:1"
max_connections = 8
max_connections_per_address = 7
handshake_timeout_ms = 101
max_call_ms = 102
drain_timeout_ms = 103
[aws]
listen = "127.0.0.1:2"
max_connections = 18
max_connections_per_address = 17
handshake_timeout_ms = 104
request_timeout_ms = 105
idle_timeout_ms = 106
[sigv4]
allow_replay = true
[tls]
certificate = "c"
private_key = "k"
client_ca = "a"
trust_domains = "t"
[limits]
keys_per_account = 9
keys_per_token = 10
principal_macs_per_second = 11
key_macs_per_second = 12
[admin]
socket = "s"
[store]
directory = "d"
[metrics]
listen = ""
[log]
level = "error"
format = "text"
file = "f"
[audit]
file = "r"
[token.main]
module = "n.so"
uri = "pkcs11:token=u"
init_args = "i"
sync_path = "y"
sessions = 3
max_queued = 4
hung_call_limit_ms = 107
max_hung_calls = 5
hosts = 2
host_user = "hallmark-hsm"
host_directory = "/var/lib/hsm"
host_hang_limit_ms = 108
key_copies = true
accept_weak_token = "for tests"
)");
  EXPECT_THAT(Changed(defaults, defaults), ::testing::IsEmpty());
  std::vector<std::string> all;
  for (std::string key : ConfigKeys()) {
    if (key.starts_with("token.<id>")) key.replace(0, 10, "token.main");
    all.push_back((IsLive(key) ? "" : "!") + key);
  }
  EXPECT_THAT(Changed(defaults, other), ::testing::UnorderedElementsAreArray(all));
}

TEST_F(ConfigChangesTest, TakingOverTheLiveKeysLeavesTheOthersToTheNextStart) {
  Config running = Load(kToken);
  const Config wanted =
      Load(std::string("[grpc]\nlisten = \"127.0.0.1:1\"\nmax_call_ms = 102\n") + kToken);
  TakeOverLive(wanted, running);
  EXPECT_EQ(running.grpc.max_call_duration, std::chrono::milliseconds(102));
  EXPECT_THAT(Changed(running, wanted), ::testing::ElementsAre("!grpc.listen"));
}

TEST_F(ConfigChangesTest, ATokenThatCameOrWentIsNamed) {
  const Config running = Load(kToken);
  const Config wanted = Load("[token.spare]\nmodule = \"m.so\"\nuri = \"pkcs11:token=t\"\n");
  EXPECT_THAT(Changed(running, wanted), ::testing::ElementsAre("!token.main", "!token.spare"));
}

}  // namespace
}  // namespace hallmark::service
