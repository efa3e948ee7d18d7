#include "service/config/config.h"

#include "service/config/config_reference.h"
#include "tests/support/golden.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

namespace hallmark::service {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kToken = "[token.main]\nmodule = \"m.so\"\nuri = \"pkcs11:token=t\"\n";

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "hallmark-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path file() const { return folder_ / "hallmarkd.toml"; }

  Result<Config, std::vector<ConfigError>> Load(const std::string& text) {
    std::ofstream(file()) << text;
    return LoadConfig(file());
  }

  // What is wrong with `text`, one mistake a line, without the file's name.
  std::string MistakesIn(const std::string& text) {
    const auto config = Load(text);
    if (config.has_value()) return "";
    std::string all;
    for (const ConfigError& error : config.error()) {
      EXPECT_THAT(error.message, StartsWith(file().string() + ":"));
      all += error.message.substr(file().string().size() + 1) + "\n";
    }
    return all;
  }

  std::filesystem::path folder_;
};

TEST_F(ConfigTest, SeveralTokensHaveADefault) {
  const auto config = Load(
      "default_token = \"b\"\n[token.a]\nmodule = \"m\"\nuri = "
      "\"pkcs11:token=a\"\n[token.b]\nmodule = \"m\"\nuri = "
      "\"pkcs11:token=b\"\n");
  ASSERT_TRUE(config.has_value()) << config.error().front().message;
  EXPECT_EQ(config->tokens.size(), 2u);
  EXPECT_EQ(config->default_options().token_id, "b");
}

TEST_F(ConfigTest, TheOnlyTokenIsTheDefault) {
  EXPECT_EQ(Load(kToken)->default_options().token_id, "main");
}

TEST_F(ConfigTest, OnlyATokenIsNeededAndTheRestHasDefaults) {
  const auto config = Load(kToken);
  ASSERT_TRUE(config.has_value()) << config.error().front().message;
  EXPECT_EQ(config->site, (Site{"aws", "us-west-2"}));
  EXPECT_EQ(config->grpc.listen, "127.0.0.1:9443");
  EXPECT_EQ(config->grpc.max_call_duration, std::chrono::seconds(10));
  EXPECT_EQ(config->tls.certificate, folder_ / "tls/server.pem");
  EXPECT_EQ(config->admin_socket, folder_ / "admin.sock");
  EXPECT_EQ(config->store_directory, folder_ / "store");
  EXPECT_TRUE(config->endpoints_file.empty());
  EXPECT_TRUE(config->log.file.empty());
  ASSERT_EQ(config->tokens.size(), 1u);
  EXPECT_EQ(config->tokens[0].token_id, "main");
  EXPECT_EQ(config->tokens[0].module, folder_ / "m.so");
  EXPECT_EQ(config->tokens[0].config_directory, folder_);
  EXPECT_EQ(config->tokens[0].state_directory, folder_ / "store");
  EXPECT_EQ(config->tokens[0].sessions, 0u);
}

TEST_F(ConfigTest, EveryKeyReachesItsOption) {
  const auto config = Load(R"(
endpoints_file = "run/endpoints"
[site]
partition = "aws-cn"
region = "cn-north-1"
[grpc]
listen = "[::1]:0"
max_connections = 10
max_connections_per_address = 5
handshake_timeout_ms = 100
max_call_ms = 200
drain_timeout_ms = 0
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
certificate = "/c"
private_key = "k"
client_ca = "../ca"
[admin]
socket = "a"
[limits]
principal_macs_per_second = 11
key_macs_per_second = 12
[store]
directory = "s"
[metrics]
listen = ""
[log]
level = "debug"
format = "text"
file = "l"
[token.hsm-1]
module = "/m.so"
uri = "pkcs11:token=t?pin-source=p"
init_args = "args"
sync_path = "tokens"
sessions = 3
max_queued = 7
hung_call_limit_ms = 107
max_hung_calls = 5
hosts = 2
host_user = "hallmark-hsm"
host_directory = "hsm"
host_hang_limit_ms = 108
key_copies = true
accept_weak_token = "for tests"
)");
  ASSERT_TRUE(config.has_value()) << config.error().front().message;
  EXPECT_EQ(config->endpoints_file, folder_ / "run/endpoints");
  EXPECT_EQ(config->site, (Site{"aws-cn", "cn-north-1"}));
  EXPECT_EQ(config->grpc.listen, "[::1]:0");
  EXPECT_EQ(config->grpc.max_connections, 10u);
  EXPECT_EQ(config->grpc.max_connections_per_address, 5u);
  EXPECT_EQ(config->grpc.handshake_timeout, std::chrono::milliseconds(100));
  EXPECT_EQ(config->grpc.max_call_duration, std::chrono::milliseconds(200));
  EXPECT_EQ(config->grpc.drain_timeout, std::chrono::milliseconds(0));
  EXPECT_EQ(config->aws.listen, "127.0.0.1:2");
  EXPECT_EQ(config->aws.max_connections, 18u);
  EXPECT_EQ(config->aws.max_connections_per_address, 17u);
  EXPECT_EQ(config->aws.handshake_timeout, std::chrono::milliseconds(104));
  EXPECT_EQ(config->aws.request_timeout, std::chrono::milliseconds(105));
  EXPECT_EQ(config->aws.idle_timeout, std::chrono::milliseconds(106));
  EXPECT_TRUE(config->sigv4.allow_replay);
  EXPECT_EQ(config->tls.certificate, "/c");
  EXPECT_EQ(config->tls.private_key, folder_ / "k");
  EXPECT_EQ(config->tls.client_ca, folder_.parent_path() / "ca");
  EXPECT_EQ(config->limits.principal_macs_per_second, 11u);
  EXPECT_EQ(config->limits.key_macs_per_second, 12u);
  EXPECT_EQ(config->admin_socket, folder_ / "a");
  EXPECT_EQ(config->store_directory, folder_ / "s");
  EXPECT_EQ(config->metrics_listen, "");
  EXPECT_EQ(config->log.level, "debug");
  EXPECT_EQ(config->log.format, LogFormat::kText);
  EXPECT_EQ(config->log.file, folder_ / "l");
  const pkcs11::TokenOptions& token = config->tokens.at(0);
  EXPECT_EQ(token.token_id, "hsm-1");
  EXPECT_EQ(token.module, "/m.so");
  EXPECT_EQ(token.uri, "pkcs11:token=t?pin-source=p");
  EXPECT_EQ(token.init_args, "args");
  EXPECT_EQ(token.sync_path, folder_ / "tokens");
  EXPECT_EQ(token.sessions, 3u);
  EXPECT_EQ(token.max_queued, 7u);
  EXPECT_EQ(token.hung_call_limit, std::chrono::milliseconds(107));
  EXPECT_EQ(token.max_hung_calls, 5u);
  EXPECT_EQ(token.hosts, 2u);
  EXPECT_EQ(token.host_user, "hallmark-hsm");
  EXPECT_EQ(token.host_directory, folder_ / "hsm");
  EXPECT_EQ(token.host_hang_limit, std::chrono::milliseconds(108));
  EXPECT_TRUE(token.key_copies);
  EXPECT_EQ(token.accept_weak_token, "for tests");
  EXPECT_EQ(token.state_directory, folder_ / "s");
}

// A mistake in front of a good token section; `want` begins with the line.
struct Mistake {
  const char* name;
  const char* text;
  const char* want;
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class MistakeTest : public ConfigTest, public ::testing::WithParamInterface<Mistake> {};

TEST_P(MistakeTest, IsReportedWithLineKeyAndRemedy) {
  EXPECT_THAT(MistakesIn(std::string(GetParam().text) + "\n" + kToken),
              StartsWith(GetParam().want));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, MistakeTest,
    ::testing::ValuesIn<Mistake>({
        {"Syntax", "[site]\nregion = ", "2: not valid TOML: "},
        {"UnknownKey", "[grpc]\nlisten_to = \"127.0.0.1:1\"",
         "2: grpc.listen_to: no such key; did you mean \"listen\"?"},
        {"UnknownKeyUnlikeAny", "[grpc]\nzzzzzz = 1", "2: grpc.zzzzzz: no such key (the example"},
        {"UnknownSection", "[gprc]", "1: gprc: no such section; did you mean \"grpc\"?"},
        {"UnknownTopKey", "endpoint_file = \"e\"",
         "1: endpoint_file: no such key; did you mean \"endpoints_file\"?"},
        {"SectionAsValue", "grpc = 1", "1: grpc: must be a section, [grpc]"},
        {"TextForInteger", "[grpc]\nmax_connections = \"1\"",
         "2: grpc.max_connections: must be an integer without quotes, is a string"},
        {"IntegerForText", "[store]\ndirectory = 1",
         "2: store.directory: must be a string in quotes, is an integer"},
        {"EmptyPath", "[store]\ndirectory = \"\"", "2: store.directory: must not be empty"},
        {"ZeroConnections", "[grpc]\nmax_connections = 0",
         "2: grpc.max_connections: must be from 1 to 100000, is 0"},
        {"MorePerAddressThanInTotal", "[grpc]\nmax_connections = 5",
         "2: grpc.max_connections_per_address: must not exceed grpc.max_connections (5)"},
        {"MoreAwsConnectionsPerAddressThanInTotal", "[aws]\nmax_connections = 5",
         "2: aws.max_connections_per_address: must not exceed aws.max_connections (5)"},
        {"AwsAddressWithoutPort", "[aws]\nlisten = \"127.0.0.1\"",
         "2: aws.listen: must be an IP address with a port of 0 to 65535"},
        {"OnePortForTwo", "[aws]\nlisten = \"127.0.0.1:9443\"",
         "2: aws.listen: is grpc.listen, too (127.0.0.1:9443); each needs a port of its own"},
        {"KeyTwice", "[grpc]\nmax_connections = 5\nmax_connections = 6", "3: not valid TOML: "},
        {"SectionTwice", "[grpc]\n[log]\n[grpc]", "3: not valid TOML: "},
        {"SectionInSection", "[grpc.listen]", "1: grpc.listen: must be a string in quotes, is "},
        {"FractionForInteger", "[grpc]\nmax_call_ms = 1.5",
         "2: grpc.max_call_ms: must be an integer without quotes, is a number with a fraction"},
        {"HandshakeTooShort", "[grpc]\nhandshake_timeout_ms = 99",
         "2: grpc.handshake_timeout_ms: must be from 100 to 60000, is 99"},
        {"CallTooLong", "[grpc]\nmax_call_ms = 600001",
         "2: grpc.max_call_ms: must be from 100 to 600000, is 600001"},
        {"NegativeDrain", "[grpc]\ndrain_timeout_ms = -1",
         "2: grpc.drain_timeout_ms: must be from 0 to 600000, is -1"},
        {"AddressWithoutPort", "[grpc]\nlisten = \"127.0.0.1\"",
         "2: grpc.listen: must be an IP address with a port of 0 to 65535"},
        {"AddressByName", "[grpc]\nlisten = \"localhost:1\"",
         "2: grpc.listen: must be an IP address with a port of 0 to 65535"},
        {"PortTooHigh", "[grpc]\nlisten = \"127.0.0.1:65536\"",
         "2: grpc.listen: must be an IP address with a port of 0 to 65535"},
        {"MetricsForEverybody", "[metrics]\nlisten = \"0.0.0.0:9464\"",
         "2: metrics.listen: must be a loopback address"},
        {"BadRegion", "[site]\nregion = \"US West\"", "2: site.region: must be lower-case letters"},
        {"EmptyPartition", "[site]\npartition = \"\"",
         "2: site.partition: must be lower-case letters"},
        {"LogLevel", "[log]\nlevel = \"warn\"",
         "2: log.level: must be one of \"debug\", \"info\", \"warning\", \"error\"; did you mean "},
        {"LogFormat", "[log]\nformat = \"xml\"",
         "2: log.format: must be one of \"json\", \"text\""},
        {"SocketPathTooLong",
         "[admin]\nsocket = "
         "\"/"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "a"
         "aaaaaaaaaaaaaaaaaaaaaaa\"",
         "2: admin.socket: the absolute path is longer than the 107 bytes"},
        {"TwoTokensWithoutDefault", "[token.other]\nmodule = \"m\"\nuri = \"pkcs11:token=o\"",
         "4: default_token: missing, while 2 tokens are configured"},
        {"DefaultTokenIsNotThere", "default_token = \"other\"",
         "1: default_token: there is no section [token.other]"},
        {"OneTokenUnderTwoIds",
         "default_token = \"main\"\n[token.other]\nmodule = \"m.so\"\nuri = \"pkcs11:token=t\"",
         "2: token.other: names the token that token.main names, too"},
        {"OneIdTwice", "[token.main]\nmodule = \"m\"\nuri = \"pkcs11:token=o\"",
         "4: not valid TOML: "},
    }),
    [](const auto& row) { return std::string(row.param.name); });

// The same for the whole file: mistakes of the token section itself.
class TokenMistakeTest : public ConfigTest, public ::testing::WithParamInterface<Mistake> {};

TEST_P(TokenMistakeTest, IsReportedWithLineKeyAndRemedy) {
  EXPECT_THAT(MistakesIn(GetParam().text), StartsWith(GetParam().want));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, TokenMistakeTest,
    ::testing::ValuesIn<Mistake>({
        {"NoToken", "", " token: no token is configured; add one section [token.<id>]"},
        {"TokenIsNoSection", "token = 1", "1: token: must be a section, [token.<id>]"},
        {"TokenWithoutId", "[token]\nmodule = \"m\"", "2: token.module: must be a section"},
        {"BadId", "[token.\"a b\"]\nmodule = \"m\"\nuri = \"pkcs11:token=t\"",
         "1: token.a b: a token's id has 1 to 64 letters"},
        {"NoModule", "[token.t]\nuri = \"pkcs11:token=t\"",
         "1: token.t.module: missing; there is no default for it"},
        {"NoUri", "[token.t]\nmodule = \"m\"", "1: token.t.uri: missing"},
        {"NoUriScheme", "[token.t]\nmodule = \"m\"\nuri = \"token=t\"",
         "3: token.t.uri: must be a PKCS#11 URI"},
        {"UnknownTokenKey", "[token.t]\nmodul = \"m\"\nuri = \"pkcs11:token=t\"",
         "2: token.t.modul: no such key; did you mean \"module\"?"},
        {"TooManySessions", "[token.t]\nmodule = \"m\"\nuri = \"pkcs11:token=t\"\nsessions = 1025",
         "4: token.t.sessions: must be from 0 to 1024, is 1025"},
        {"ZeroQueue", "[token.t]\nmodule = \"m\"\nuri = \"pkcs11:token=t\"\nmax_queued = 0",
         "4: token.t.max_queued: must be from 1 to 1000000, is 0"},
        {"HostUserWithoutHosts",
         "[token.t]\nmodule = \"m\"\nuri = \"pkcs11:token=t\"\nhost_user = \"u\"",
         "4: token.t.host_user: there are no hosts to run as this user; set hosts, too"},
        {"HostUserWithoutDirectory",
         "[token.t]\nmodule = \"m\"\nuri = \"pkcs11:token=t\"\nhost_user = \"u\"\nhosts = 2",
         "4: token.t.host_user: host_directory is missing; name a folder of this user"},
        {"FlagAsText", "[token.t]\nmodule = \"m\"\nuri = \"pkcs11:token=t\"\nkey_copies = \"yes\"",
         "4: token.t.key_copies: must be true or false, is a string"},
    }),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(ConfigTest, PinInTheUriIsRefusedAndNotRepeated) {
  for (const char* spelling : {"pin-value", "PIN-Value"}) {
    const std::string mistakes = MistakesIn(
        std::string("[token.t]\nmodule = \"m\"\nuri = \"pkcs11:token=t?") + spelling + "=314159\"");
    EXPECT_THAT(mistakes, StartsWith("3: token.t.uri: must not hold the PIN itself"));
    EXPECT_THAT(mistakes, Not(HasSubstr("314159")));
  }
}

TEST_F(ConfigTest, TextOfWhichOnlyTheStartWouldBeReadIsRefused) {
  EXPECT_EQ(MistakesIn("[grpc]\nlisten = \"127.0.0.1\\u0000x:9443\"\n" + std::string(kToken)),
            "2: grpc.listen: must not hold a NUL character; remove it\n");
}

TEST_F(ConfigTest, AllMistakesAreReportedAtOnce) {
  const std::string mistakes =
      MistakesIn("[site]\nregion = 1\n[grpc]\nlisten = \"x\"\nfoo = 1\n[log]\nlevel = 2\n");
  for (const char* key : {"site.region", "grpc.listen", "grpc.foo", "log.level", " token:"}) {
    EXPECT_THAT(mistakes, HasSubstr(key));
  }
}

TEST_F(ConfigTest, MissingFileIsNamed) {
  const auto config = LoadConfig(folder_ / "absent.toml");
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error().at(0).message,
              StartsWith((folder_ / "absent.toml").string() + ": cannot be read"));
}

std::string Example() {
  std::ifstream in(HALLMARK_EXAMPLE_CONFIG);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(ConfigTest, ExampleIsMadeFromTheReference) {
  hallmark::testing::ExpectGolden(HALLMARK_EXAMPLE_CONFIG, ExampleConfig());
}

TEST_F(ConfigTest, EveryKeyHasItsHelp) {
  std::vector<std::string> described;
  for (const SectionHelp& section : ConfigReference()) {
    const std::string prefix = section.name.empty()           ? ""
                               : section.name == "token.main" ? "token.<id>."
                                                              : std::string(section.name) + ".";
    for (const KeyHelp& key : section.keys) {
      described.push_back(prefix + std::string(key.name));
      EXPECT_FALSE(key.help.empty()) << described.back();
    }
  }
  EXPECT_THAT(described, ::testing::UnorderedElementsAreArray(ConfigKeys()));
}

TEST_F(ConfigTest, ExampleParses) {
  const auto config = Load(Example());
  EXPECT_TRUE(config.has_value()) << config.error().front().message;
}

TEST_F(ConfigTest, ExampleHasEveryKeyUnderItsSectionAndItsDefaultsAreTheDefaults) {
  // With every default uncommented it must be the same configuration.
  std::string uncommented;
  std::string section;
  std::vector<std::string> found;
  std::istringstream lines(Example());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("[")) section = line.substr(1, line.find(']') - 1) + ".";
    if (section == "token.main.") section = "token.<id>.";
    const std::string bare = line.starts_with("# ") ? line.substr(2) : line;
    const std::size_t equals = bare.find(" = ");
    if (equals != std::string::npos && bare.find(' ') == equals) {
      found.push_back(section + bare.substr(0, equals));
      line = bare;
    }
    uncommented += line + "\n";
  }
  EXPECT_THAT(found, ::testing::UnorderedElementsAreArray(ConfigKeys()));

  const auto config = Load(uncommented);
  ASSERT_TRUE(config.has_value()) << config.error().front().message;
  const auto defaults = Load(Example());
  ASSERT_TRUE(defaults.has_value());
  EXPECT_EQ(config->site, defaults->site);
  EXPECT_EQ(config->grpc.listen, defaults->grpc.listen);
  EXPECT_EQ(config->grpc.max_connections, defaults->grpc.max_connections);
  EXPECT_EQ(config->grpc.max_connections_per_address, defaults->grpc.max_connections_per_address);
  EXPECT_EQ(config->grpc.handshake_timeout, defaults->grpc.handshake_timeout);
  EXPECT_EQ(config->grpc.max_call_duration, defaults->grpc.max_call_duration);
  EXPECT_EQ(config->grpc.drain_timeout, defaults->grpc.drain_timeout);
  EXPECT_EQ(config->aws.listen, defaults->aws.listen);
  EXPECT_EQ(config->aws.max_connections, defaults->aws.max_connections);
  EXPECT_EQ(config->aws.max_connections_per_address, defaults->aws.max_connections_per_address);
  EXPECT_EQ(config->aws.handshake_timeout, defaults->aws.handshake_timeout);
  EXPECT_EQ(config->aws.request_timeout, defaults->aws.request_timeout);
  EXPECT_EQ(config->aws.idle_timeout, defaults->aws.idle_timeout);
  EXPECT_EQ(config->sigv4.allow_replay, defaults->sigv4.allow_replay);
  EXPECT_EQ(config->tls.certificate, defaults->tls.certificate);
  EXPECT_EQ(config->tls.private_key, defaults->tls.private_key);
  EXPECT_EQ(config->tls.client_ca, defaults->tls.client_ca);
  EXPECT_EQ(config->admin_socket, defaults->admin_socket);
  EXPECT_EQ(config->store_directory, defaults->store_directory);
  EXPECT_EQ(config->endpoints_file, defaults->endpoints_file);
  EXPECT_EQ(config->metrics_listen, defaults->metrics_listen);
  EXPECT_EQ(config->log.level, defaults->log.level);
  EXPECT_EQ(config->log.format, defaults->log.format);
  EXPECT_EQ(config->log.file, defaults->log.file);
  EXPECT_EQ(config->tokens[0].init_args, defaults->tokens[0].init_args);
  EXPECT_EQ(config->tokens[0].sync_path, defaults->tokens[0].sync_path);
  EXPECT_EQ(config->tokens[0].sessions, defaults->tokens[0].sessions);
  EXPECT_EQ(config->tokens[0].max_queued, defaults->tokens[0].max_queued);
  EXPECT_EQ(config->tokens[0].key_copies, defaults->tokens[0].key_copies);
  EXPECT_EQ(config->tokens[0].accept_weak_token, defaults->tokens[0].accept_weak_token);
}

}  // namespace
}  // namespace hallmark::service
