// A daemon that cannot serve says why in one line, ends with the documented code and leaves
// everything as it was.
#include "tests/daemon/calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sysexits.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kMessage = "the same before and after";

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

void ExecuteSql(const std::filesystem::path& database, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(database.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
}

// Long enough that no fingerprint, port or id has it by chance.
constexpr const char* kWrongPin = "not the PIN 4711";

// One home with a key whose MAC is known, for every test. Each damages something on the stopped
// daemon's disk; afterwards all is put back, and the daemon must start and make that MAC.
class StartupTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    daemon_ = new TestDaemon;
    daemon_->Start();
    key_ = new std::string(CreateKey(daemon_->admin()));
    mac_ = new std::string(GenerateMac(daemon_->admin(), *key_, kMessage).mac);
    client_ = new PemPair(daemon_->admin().credentials);
    ASSERT_EQ(mac_->size(), 32U);
    ASSERT_EQ(daemon_->Stop(), 0);
  }
  static void TearDownTestSuite() {
    delete client_;
    delete mac_;
    delete key_;
    delete daemon_;
  }

  void TearDown() override {
    // The last change first: a file may have been changed twice.
    for (; !saved_.empty(); saved_.pop_back()) {
      WriteFile(saved_.back().first, saved_.back().second);
    }
    if (!daemon_->running()) daemon_->Start();
    const MacAnswer again = GenerateMac(daemon_->Connect(*client_), *key_, kMessage);
    EXPECT_TRUE(again.outcome.ok()) << again.outcome;
    EXPECT_EQ(again.mac, *mac_);
    EXPECT_EQ(daemon_->Stop(), 0);
  }

  static std::filesystem::path file(const std::string& name) { return daemon_->home() / name; }

  // Until the end of the test.
  void Replace(const std::string& name, const std::string& content) {
    saved_.emplace_back(file(name), ReadFile(file(name)));
    WriteFile(file(name), content);
  }
  // A change of the configuration until the end of the test.
  void Configure(const std::string& from, const std::string& to) {
    std::string text = ReadFile(daemon_->config_file());
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    Replace("hallmarkd.toml", text.replace(at, from.size(), to));
  }

  // Runs the daemon; it must refuse with this code, in one line, which is returned.
  static std::string RefusalWith(int exit_code) {
    const Finished finished = daemon_->RunToEnd();
    EXPECT_EQ(finished.exit_code, exit_code) << finished.errors;
    EXPECT_EQ(finished.output, "");
    const std::vector<std::string> lines = LinesOf(finished.errors);
    EXPECT_THAT(lines, SizeIs(1));
    for (const char* pin : {"user.pin", "so.pin"}) {
      EXPECT_THAT(finished.errors, Not(HasSubstr(ReadFile(file(pin)))));
    }
    return lines.empty() ? "" : lines.front();
  }

  static TestDaemon* daemon_;

 private:
  static std::string* key_;
  static std::string* mac_;
  static PemPair* client_;
  std::vector<std::pair<std::filesystem::path, std::string>> saved_;
};

TestDaemon* StartupTest::daemon_ = nullptr;
std::string* StartupTest::key_ = nullptr;
std::string* StartupTest::mac_ = nullptr;
PemPair* StartupTest::client_ = nullptr;

TEST_F(StartupTest, AWrongPinIsTriedOnceAndARightOneThenStarts) {
  Replace("user.pin", kWrongPin);
  EXPECT_THAT(RefusalWith(EX_NOPERM), AllOf(HasSubstr("user.pin"), HasSubstr("CKR_PIN_INCORRECT")));
  // Were it tried again, the token would answer with this.
  daemon_->SetFaults("C_Login rv=CKR_DEVICE_ERROR\n");
  EXPECT_THAT(RefusalWith(EX_NOPERM), AllOf(HasSubstr("user.pin"), HasSubstr("before")));
  daemon_->SetFaults("");
  // TearDown puts the right PIN into the file and starts: no other remedy is needed.
}

TEST_F(StartupTest, AnEmptyPinFileIsNamed) {
  Replace("user.pin", "");
  const Finished finished = daemon_->RunToEnd();
  EXPECT_EQ(finished.exit_code, EX_CONFIG) << finished.errors;
  EXPECT_THAT(LinesOf(finished.errors), SizeIs(1));
  EXPECT_THAT(finished.errors, HasSubstr("user.pin"));
}

TEST_F(StartupTest, AnAbsentTokenIsNamed) {
  Configure("token=hallmark", "token=elsewhere");
  EXPECT_THAT(RefusalWith(EX_UNAVAILABLE), HasSubstr("elsewhere"));
}

TEST_F(StartupTest, ATokenWithoutOurAnchorIsNotOurs) {
  // Another token with the same label.
  const TestDaemon other;
  Replace("softhsm2.conf", ReadFile(other.home() / "softhsm2.conf"));
  Replace("user.pin", ReadFile(other.home() / "user.pin"));
  EXPECT_THAT(RefusalWith(EX_UNAVAILABLE), HasSubstr("anchor"));
}

TEST_F(StartupTest, ATokenThatTheStoreDoesNotKnowIsToBeInitialised) {
  Configure("[token.main]", "[token.other]");
  EXPECT_THAT(RefusalWith(EX_UNAVAILABLE), AllOf(HasSubstr("other"), HasSubstr("token init")));
}

TEST_F(StartupTest, AWrongModulePathIsNamed) {
  Configure("hallmark-fault.so", "no-such-module.so");
  EXPECT_THAT(RefusalWith(EX_CONFIG), HasSubstr("no-such-module.so"));
}

TEST_F(StartupTest, ATypingMistakeInTheConfigurationIsNamedWithItsLine) {
  Configure("listen =", "lissten =");
  const std::string text = ReadFile(daemon_->config_file());
  const auto number =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.find("lissten")),
                     '\n');
  const std::string place = "hallmarkd.toml:" + std::to_string(number) + ": grpc.lissten";
  EXPECT_THAT(RefusalWith(EX_CONFIG), AllOf(HasSubstr(place), HasSubstr("\"listen\"")));
}

TEST_F(StartupTest, SeveralMistakesAreNamedALineEach) {
  Configure("listen =", "lissten =");
  Configure("level = \"debug\"", "level = \"chatty\"");
  const Finished finished = daemon_->RunToEnd();
  EXPECT_EQ(finished.exit_code, EX_CONFIG);
  EXPECT_THAT(LinesOf(finished.errors), SizeIs(2)) << finished.errors;
}

TEST_F(StartupTest, APortInUseIsNamed) {
  TestDaemon holder;
  holder.Start();
  Configure("127.0.0.1:0", holder.target());
  EXPECT_THAT(RefusalWith(EX_OSERR), HasSubstr(holder.target()));
}

TEST_F(StartupTest, AStoreThatAnotherDaemonHoldsIsLeftToIt) {
  daemon_->Start();
  EXPECT_THAT(RefusalWith(EX_TEMPFAIL), HasSubstr(std::to_string(daemon_->pid())));
}

TEST_F(StartupTest, ANewerSchemaIsRefusedAndNotTouched) {
  std::filesystem::path database;
  for (const auto& entry : std::filesystem::directory_iterator(file("store"))) {
    if (ReadFile(entry.path()).starts_with("SQLite format 3")) database = entry.path();
  }
  const std::string before = ReadFile(database);
  ASSERT_FALSE(before.empty());
  ExecuteSql(database, "PRAGMA user_version = 99");
  const std::string newer = ReadFile(database);
  ASSERT_NE(newer, before);
  EXPECT_THAT(RefusalWith(EX_CONFIG), HasSubstr("99"));
  EXPECT_EQ(ReadFile(database), newer);
  WriteFile(database, before);
}

TEST_F(StartupTest, AStoreOfAnotherRegionIsRefused) {
  Configure("[log]", "[site]\nregion = \"eu-central-1\"\n[log]");
  EXPECT_THAT(RefusalWith(EX_CONFIG), AllOf(HasSubstr("eu-central-1"), HasSubstr("us-west-2")));
}

TEST_F(StartupTest, ATlsKeyOfAnotherCertificateIsNamed) {
  Replace("tls/server.key", daemon_->authority().IssueServer().private_key);
  EXPECT_THAT(RefusalWith(EX_CONFIG), HasSubstr("server.key"));
}

TEST_F(StartupTest, NoPinIsInTheLogOfAnyOfTheseStarts) {
  for (const char* pin : {"user.pin", "so.pin"}) {
    EXPECT_THAT(daemon_->Log(), Not(HasSubstr(ReadFile(file(pin)))));
  }
  EXPECT_THAT(daemon_->Log(), Not(HasSubstr(kWrongPin)));
}

}  // namespace
}  // namespace hallmark::testing
