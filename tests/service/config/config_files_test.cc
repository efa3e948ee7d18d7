// What --check-config says about the files that a configuration names.
#include "service/config/config.h"
#include "tests/support/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

namespace hallmark::service {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

namespace fs = std::filesystem;

constexpr const char* kGood = R"([tls]
certificate = "server.pem"
private_key = "server.key"
client_ca = "ca.pem"
[token.main]
module = "m.so"
uri = "pkcs11:token=t?pin-source=file:pin"
)";

class ConfigFilesTest : public ::testing::Test {
 protected:
  ConfigFilesTest() {
    for (const char* name : {"server.pem", "server.key", "ca.pem", "m.so", "pin"}) {
      directory_.Write(name, "something");
    }
  }

  // Without the file's name.
  std::vector<std::string> MistakesIn(const std::string& text) const {
    const std::string file = directory_.Write("hallmarkd.toml", text);
    std::vector<std::string> mistakes;
    for (const ConfigError& error : CheckConfig(file)) {
      EXPECT_THAT(error.message, StartsWith(file + ":"));
      mistakes.push_back(error.message.substr(file.size() + 1));
    }
    return mistakes;
  }
  fs::path path(const char* name) const { return directory_.path() / name; }

  const hallmark::testing::TemporaryDirectory directory_;
};

TEST_F(ConfigFilesTest, NothingIsWrongWhenEverythingIsThere) {
  EXPECT_THAT(MistakesIn(kGood), IsEmpty());
}

TEST_F(ConfigFilesTest, EveryMissingFileIsNamedWithItsLine) {
  for (const char* name : {"server.pem", "server.key", "ca.pem", "m.so", "pin"}) {
    fs::remove(path(name));
  }
  EXPECT_THAT(MistakesIn(kGood),
              ElementsAre(AllOf(StartsWith("2: tls.certificate: cannot read '"),
                                HasSubstr("server.pem': No such file or directory; ")),
                          StartsWith("3: tls.private_key: cannot read '"),
                          StartsWith("4: tls.client_ca: cannot read '"),
                          StartsWith("6: token.main.module: cannot read '"),
                          AllOf(StartsWith("7: token.main.uri: the PIN file "),
                                HasSubstr("No such file or directory"))));
}

TEST_F(ConfigFilesTest, AMissingFileThatIsTheDefaultIsNamedByItsKey) {
  EXPECT_THAT(MistakesIn("[token.t]\nmodule = \"m.so\"\nuri = \"pkcs11:token=t\"\n"),
              ElementsAre(StartsWith(" tls.certificate: cannot read '"),
                          StartsWith(" tls.private_key: cannot read '"),
                          StartsWith(" tls.client_ca: cannot read '")));
}

TEST_F(ConfigFilesTest, AFileThatThisUserMayNotReadIsNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  fs::permissions(path("server.key"), fs::perms::none);
  EXPECT_THAT(MistakesIn(kGood), ElementsAre(AllOf(StartsWith("3: tls.private_key: cannot read '"),
                                                   HasSubstr("Permission denied"))));
}

TEST_F(ConfigFilesTest, AFolderIsNoFile) {
  fs::remove(path("ca.pem"));
  fs::create_directory(path("ca.pem"));
  EXPECT_THAT(MistakesIn(kGood),
              ElementsAre(AllOf(StartsWith("4: tls.client_ca: '"), HasSubstr("is not a file"))));
}

TEST_F(ConfigFilesTest, FoldersToWriteInMustExist) {
  EXPECT_THAT(
      MistakesIn(std::string(kGood) + "sync_path = \"a\"\n[store]\ndirectory = \"pin/store\"\n" +
                 "[log]\nfile = \"b/log\"\n"),
      ElementsAre(AllOf(StartsWith("10: store.directory: '"), HasSubstr("is not a folder")),
                  StartsWith("12: log.file: there is no folder '"),
                  StartsWith("8: token.main.sync_path: there is no folder '")));
}

TEST_F(ConfigFilesTest, APinFileThatOthersMayReadIsNamed) {
  fs::permissions(path("pin"), fs::perms::group_read, fs::perm_options::add);
  EXPECT_THAT(MistakesIn(kGood), ElementsAre(AllOf(StartsWith("7: token.main.uri: the PIN file "),
                                                   HasSubstr("is open to other users"))));
}

TEST_F(ConfigFilesTest, AUriThatIsMalformedIsNamed) {
  for (const char* uri : {"pkcs11:token=%zz", "pkcs11:token=t;unheard-of=1"}) {
    EXPECT_THAT(MistakesIn(std::string("[token.main]\nmodule = \"m.so\"\nuri = \"") + uri +
                           "\"\n[tls]\ncertificate = \"server.pem\"\nprivate_key = "
                           "\"server.key\"\nclient_ca = \"ca.pem\"\n"),
                ElementsAre(StartsWith("3: token.main.uri: ")));
  }
}

TEST_F(ConfigFilesTest, MistakesInTheTextAndInTheFilesAreReportedTogether) {
  fs::remove(path("ca.pem"));
  EXPECT_THAT(MistakesIn(std::string(kGood) + "[log]\nlevel = 1\n"),
              ElementsAre(StartsWith("9: log.level: must be"), StartsWith("4: tls.client_ca: ")));
}

}  // namespace
}  // namespace hallmark::service
