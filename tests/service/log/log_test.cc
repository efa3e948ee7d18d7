#include "service/log/log.h"

#include "service/log/escape.h"
#include "service/log/request_log.h"
#include "tests/service/fake_clock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::service {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hallmark-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
    options_.file = folder_ / "log";
    call_.request_id = "r-1";
    call_.operation = Operation::kGenerateMac;
    call_.started = clock_.SteadyNow();
    call_.peer = "127.0.0.1:1";
    call_.key_arn = "arn:key";
    const Site site{"aws", "us-west-2"};
    const PrincipalRecord alice{
        .unique_id = "p",
        .arn = *PrincipalArn::Parse("arn:aws:iam::111122223333:user/alice", site)};
    call_.caller = std::make_shared<Principal>(Principal{alice, nullptr, {}, {}, {}});
  }
  ~LogTest() override { std::filesystem::remove_all(folder_); }

  Log& log() {
    if (!log_) {
      auto opened = Log::Open(options_);
      if (!opened) std::abort();
      log_ = *std::move(opened);
    }
    return *log_;
  }

  // Closes the log and reads what it wrote.
  std::vector<std::string> Lines() {
    log_.reset();
    std::ifstream in(options_.file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  std::filesystem::path folder_;
  Config::Log options_;
  FakeClock clock_;
  app::CallContext call_;
  std::unique_ptr<Log> log_;
};

const Status kDenied = Fail(Exception::kAccessDeniedException, "no");

TEST_F(LogTest, LinesGoToTheSinkOfTheMomentInTheSameFormat) {
  const auto before = options_.file;
  log().Write(LogLevel::kInfo, "first", {});
  log().Write(LogLevel::kInfo, "waits", {});
  options_.file = folder_ / "next";
  auto sink = Log::OpenSink(options_);
  ASSERT_TRUE(sink.has_value());
  log().WriteTo(*std::move(sink));
  log().Write(LogLevel::kInfo, "second", {});
  const auto lines = Lines();
  ASSERT_THAT(lines, ::testing::Not(IsEmpty()));
  EXPECT_EQ(nlohmann::json::parse(lines.back())["event"], "second");
  struct stat info {};
  ASSERT_EQ(stat(options_.file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  // Whatever did not reach the new file is in the old one: nothing is lost by the change.
  options_.file = before;
  EXPECT_EQ(Lines().size() + lines.size(), 3U);
}

TEST_F(LogTest, ALevelCountsFromWhenItIsSet) {
  log().Write(LogLevel::kDebug, "hidden", {});
  log().SetLevel("debug");
  log().Write(LogLevel::kDebug, "shown", {});
  log().SetLevel("warning");
  log().Write(LogLevel::kInfo, "hidden again", {});
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(lines[0], HasSubstr("shown"));
}

TEST_F(LogTest, AnyBytesBecomeOneValidJsonLine) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  log().Write(LogLevel::kInfo, "event", {{"text", all}, {"number", std::int64_t{-5}}});
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  const auto json = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(json["event"], "event");
  EXPECT_EQ(json["level"], "info");
  EXPECT_EQ(json["number"], -5);
  EXPECT_EQ(json["text"].get<std::string>().substr(0, 128), all.substr(0, 128));
  EXPECT_THAT(json["time"].get<std::string>(), EndsWith("Z"));
}

TEST_F(LogTest, NobodyForgesALineOrAFieldInText) {
  options_.format = LogFormat::kText;
  log().Write(LogLevel::kInfo, "event",
              {{"text", "a\nb \x1b[31m \xc2\x9b outcome=OK \"q\" \\"}, {"plain", "p:/1"}});
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(
      lines[0],
      EndsWith(R"( info event text="a\x0ab \x1b[31m \xc2\x9b outcome=OK \"q\" \\" plain=p:/1)"));
}

TEST_F(LogTest, FileIsForTheOwnerAlone) {
  const mode_t before = umask(0);
  log();
  umask(before);
  EXPECT_EQ(std::filesystem::status(options_.file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(LogTest, FileThatCannotBeOpenedIsNamed) {
  options_.file = folder_ / "absent" / "log";
  const auto opened = Log::Open(options_);
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr("absent/log"));
}

TEST_F(LogTest, RequestSaysWhoDidWhatToWhichKeyAndHowLongItTook) {
  options_.level = "debug";
  clock_.Advance(std::chrono::microseconds(1234));
  RequestLog(log(), clock_).Finished(call_, {});
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  auto json = nlohmann::json::parse(lines[0]);
  json.erase("time");
  EXPECT_EQ(json, nlohmann::json::parse(
                      R"({"level":"debug","event":"request","request_id":"r-1","protocol":"grpc",
      "principal":"arn:aws:iam::111122223333:user/alice","operation":"GenerateMac","key":"arn:key",
      "outcome":"OK","duration_us":1234,"peer":"127.0.0.1:1"})"));
}

TEST_F(LogTest, SuccessfulMacsAndReadsAreForDebugOnly) {
  {
    RequestLog requests(log(), clock_);
    for (const Operation operation :
         {Operation::kGenerateMac, Operation::kVerifyMac, Operation::kDescribeKey,
          Operation::kListKeys, Operation::kGetKeyPolicy, Operation::kCreateKey}) {
      call_.operation = operation;
      requests.Finished(call_, {});
    }
  }
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(lines[0], HasSubstr("CreateKey"));
}

TEST_F(LogTest, ServiceFaultIsAWarningWithItsDetail) {
  RequestLog(log(), clock_)
      .Finished(call_, Fail(Exception::kDependencyTimeoutException, "message", "CKR_DEVICE_ERROR"));
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  const auto json = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(json["level"], "warning");
  EXPECT_EQ(json["outcome"], "DependencyTimeoutException");
  EXPECT_EQ(json["detail"], "CKR_DEVICE_ERROR");
}

TEST_F(LogTest, CallerThatNobodyKnowsIsLoggedWithoutPrincipal) {
  call_.caller = nullptr;
  RequestLog(log(), clock_).Finished(call_, kDenied);
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_FALSE(nlohmann::json::parse(lines[0]).contains("principal"));
}

TEST_F(LogTest, FloodOfRefusalsIsCutAndCountedPerException) {
  constexpr auto kLimit = static_cast<int>(RequestLog::kLinesPerSecond);
  {
    RequestLog requests(log(), clock_);
    for (int i = 0; i < kLimit + 50; ++i) requests.Finished(call_, kDenied);
    // Another exception has its own budget.
    requests.Finished(call_, Fail(Exception::kNotFoundException));
    clock_.Advance(std::chrono::milliseconds(10));  // earns one line
    requests.Finished(call_, kDenied);
    requests.Finished(call_, kDenied);
  }
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(static_cast<std::size_t>(kLimit + 4)));
  EXPECT_THAT(lines[static_cast<std::size_t>(kLimit)], HasSubstr("NotFoundException"));
  const auto summary = nlohmann::json::parse(lines[static_cast<std::size_t>(kLimit) + 1]);
  EXPECT_EQ(summary["event"], "suppressed");
  EXPECT_EQ(summary["outcome"], "AccessDeniedException");
  EXPECT_EQ(summary["lines"], 50);
  // What is left at the end is not lost.
  EXPECT_EQ(nlohmann::json::parse(lines.back())["lines"], 1);
}

TEST_F(LogTest, LevelSilencesWhatIsBelowIt) {
  options_.level = "error";
  {
    RequestLog requests(log(), clock_);
    requests.Finished(call_, kDenied);
    requests.Finished(call_, Fail(Exception::kKMSInternalException));
    EXPECT_FALSE(log().Enabled(LogLevel::kWarning));
    EXPECT_TRUE(log().Enabled(LogLevel::kError));
  }
  EXPECT_THAT(Lines(), IsEmpty());
}

TEST_F(LogTest, AlarmOfATokenIsAnError) {
  TokenEvents(log())(pkcs11::Severity::kAlarm, "key swapped");
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  const auto json = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(json["level"], "error");
  EXPECT_EQ(json["event"], "token");
  EXPECT_EQ(json["text"], "key swapped");
}

TEST(EscapeTest, ALineForATerminalHoldsNothingThatATerminalObeys) {
  EXPECT_EQ(OneLine("a \"b\"\n\x1b[2J\xc2\x9b"), "a \"b\"\\x0a\\x1b[2J\\xc2\\x9b");
}

TEST_F(LogTest, APipeIsNoLogFile) {
  ASSERT_EQ(mkfifo(options_.file.c_str(), 0600), 0);
  // Without a reader the open would fail anyway.
  const int reader = open(options_.file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const auto sink = Log::OpenSink(options_);
  close(reader);
  ASSERT_FALSE(sink.has_value());
  EXPECT_THAT(sink.error().message, HasSubstr("it is a pipe"));
}

}  // namespace
}  // namespace hallmark::service
