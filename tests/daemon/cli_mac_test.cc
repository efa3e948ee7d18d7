// The command line and a foreign PKCS#11 program agree on what a key's MAC is.
#include "keystate/bytes.h"
#include "keystate/store/sqlite_store.h"
#include "service/system/system.h"
#include "tests/daemon/calls.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace hallmark::testing {
namespace {

constexpr const char* kMessage = "the message of both programs";

std::string DecodeBase64(const std::string& text) {
  const TemporaryDirectory directory;
  WriteFile(directory.path() / "text", text + "\n");
  return Run({"/usr/bin/base64", "--decode", (directory.path() / "text").string()}).output;
}

// The key's CKA_ID, from the store of a daemon that is stopped.
std::string CkaIdOf(const TestDaemon& daemon, const std::string& key_id) {
  service::OsRandom random;
  auto store = store::SqliteStore::Open(daemon.home() / "store", {"aws", "us-west-2"}, random);
  if (!store) return ToString(store.error());
  const auto image = (*store)->Load();
  if (!image) return ToString(image.error());
  for (const BindingRecord& binding : image->bindings) {
    if (binding.key_id.ToString() == key_id) return ToHex(binding.cka_id);
  }
  return "no such key";
}

struct Row {
  KeySpec spec;
  const char* mechanism;  // as pkcs11-tool calls it
};

class CliMacTest : public ::testing::TestWithParam<Row> {
 protected:
  CliMacTest() {
    daemon_.Start();
    client_ = daemon_.AddPrincipal(TestDaemon::kAdmin, TestDaemon::kAllowAll);
    WriteFile(file("message"), kMessage);
    WriteFile(file("ca.pem"), daemon_.authority().certificate());
    WriteFile(file("client.pem"), client_.credentials.certificate);
    WriteFile(file("client.key"), client_.credentials.private_key);
  }

  std::string file(const std::string& name) const { return (daemon_.home() / name).string(); }

  Finished Hallmark(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), HALLMARK_BINARY_DIR "/hallmark");
    return hallmark::testing::Run(
        arguments, {"HALLMARK_TARGET=" + daemon_.target(), "HALLMARK_CA=" + file("ca.pem"),
                    "HALLMARK_CERT=" + file("client.pem"), "HALLMARK_KEY=" + file("client.key")});
  }

  // The PIN travels in the environment of that one child, never on a command line.
  Finished SignWithPkcs11Tool(const std::string& cka_id, const std::string& mechanism) const {
    std::vector<std::string> environment = daemon_.environment();
    environment.push_back("TOKEN_PIN=" + ReadFile(file("user.pin")));
    return hallmark::testing::Run(
        {"/usr/bin/pkcs11-tool", "--module", HALLMARK_SOFTHSM_MODULE, "--token-label", "hallmark",
         "--login", "--pin", "env:TOKEN_PIN", "--sign", "--mechanism", mechanism, "--id", cka_id,
         "--input-file", file("message"), "--output-file", file("mac")},
        environment);
  }

  TestDaemon daemon_;
  Client client_;
};

TEST_P(CliMacTest, TheCommandLineAndPkcs11ToolMakeTheSameMac) {
  const KeySpecRow& row = hallmark::Row(GetParam().spec);
  const std::string key = CreateKey(client_, GetParam().spec);
  const Finished ours =
      Hallmark({"generate-mac", "--key-id", key, "--message", "fileb://" + file("message"),
                "--mac-algorithm", std::string(row.algorithm_name)});
  ASSERT_EQ(ours.exit_code, 0) << ours.errors;
  const std::string mac =
      DecodeBase64(nlohmann::json::parse(ours.output).at("Mac").get<std::string>());
  ASSERT_EQ(mac.size(), row.mac_bytes);

  ASSERT_EQ(daemon_.Stop(), 0);
  const Finished theirs = SignWithPkcs11Tool(CkaIdOf(daemon_, key), GetParam().mechanism);
  ASSERT_EQ(theirs.exit_code, 0) << theirs.output << theirs.errors;
  EXPECT_EQ(ToHex(AsBytes(ReadFile(file("mac")))), ToHex(AsBytes(mac)));
}

INSTANTIATE_TEST_SUITE_P(EveryHash, CliMacTest,
                         ::testing::Values(Row{KeySpec::kHmac224, "SHA224-HMAC"},
                                           Row{KeySpec::kHmac256, "SHA256-HMAC"},
                                           Row{KeySpec::kHmac384, "SHA384-HMAC"},
                                           Row{KeySpec::kHmac512, "SHA512-HMAC"}),
                         [](const auto& one) { return std::string(Name(one.param.spec)); });

}  // namespace
}  // namespace hallmark::testing
