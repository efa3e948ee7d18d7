// A token that is called in processes of its own, which are killed and hang for real.
#include "pkcs11/host/channel.h"
#include "pkcs11/host/token_host.h"
#include "tests/pkcs11/load.h"
#include "tests/pkcs11/opened_token.h"
#include "tests/support/child_process.h"
#include "tests/support/token_hosts.h"

#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ChildrenOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ReadProc;

constexpr const char* kProgram = "hallmark-token-host";

std::vector<pid_t> Hosts() { return ChildrenOf(::getpid(), kProgram); }

class HostTest : public OpenedTokenTest {
 protected:
  HostTest() { SetFaults(""); }
  void SetUp() override {
    OpenedTokenTest::SetUp();
    OpenHosts(2);
    key_ = Generate();
    const Result<MacTag> tag = Mac(key_);
    ASSERT_THAT(tag, IsOk());
    expected_ = ToHex(tag->bytes());
  }
  void TearDown() override {
    hsm_.reset();
    EXPECT_TRUE(Hosts().empty());
    OpenedTokenTest::TearDown();
  }

  void OpenHosts(std::size_t hosts, milliseconds hang_limit = milliseconds{500}) {
    Reopen([&](TokenOptions& options) {
      options.hosts = hosts;
      options.host_hang_limit = hang_limit;
    });
    ASSERT_EQ(Hosts().size(), hosts);
  }

  // The faults of hosts: those of the test's own process are none of theirs.
  static std::string FaultFile() {
    static const testing::TemporaryDirectory kDirectory;
    return (kDirectory.path() / "faults").string();
  }
  static void SetFaults(const std::string& lines) {
    testing::WriteFile(FaultFile(), lines);
    ASSERT_EQ(::setenv("HALLMARK_FAULT_CONTROL", FaultFile().c_str(), 1), 0);
  }

  std::size_t Alive() const { return hsm_->hosts()->alive; }
  // `lost`: hosts that the test has ended so far; they may look alive for a moment.
  bool Replaced(std::uint64_t lost) {
    return WaitUntil([&] { return hsm_->hosts()->replacements >= lost; }) && AllServe(2);
  }
  bool AllServe(std::size_t hosts) {
    return WaitUntil([&] { return Alive() == hosts && Hosts().size() == hosts; });
  }

  MacKey key_;
  std::string expected_;
};

TEST_F(HostTest, MacsOfEverySpecAreThoseOfTheTokenItself) {
  std::vector<std::pair<MacKey, Bytes>> expected;
  for (const KeySpecRow& row : kKeySpecs) {
    const MacKey key = Generate(row.spec);
    const Result<MacTag> tag = Mac(key);
    ASSERT_THAT(tag, IsOk());
    EXPECT_EQ(tag->bytes().size(), row.mac_bytes);
    expected.emplace_back(key, Bytes(tag->bytes().begin(), tag->bytes().end()));
  }
  const std::string sealed = sealer_->Seal("context", "payload");
  EXPECT_EQ(hsm_->ListKeys().size(), kKeySpecs.size() + 1);
  EXPECT_GT(hsm_->open_sessions(), 0u);
  Reopen({});
  ASSERT_FALSE(hsm_->hosts().has_value());
  for (const auto& [key, tag] : expected) {
    const Result<MacTag> local = Mac(key);
    ASSERT_THAT(local, IsOk());
    EXPECT_EQ(ToHex(local->bytes()), ToHex(tag));
  }
  EXPECT_EQ(sealer_->Open("context", sealed), "payload");
}

TEST_F(HostTest, TheLongestMessageFitsAndSwappedKeysAreRefused) {
  MacKey key = Generate();
  EXPECT_THAT(Mac(key, std::string(host::kMaxMessageBytes, 'x')), IsOk());
  key.check_value[0] ^= std::byte{1};
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(events_.Count(Severity::kAlarm, "swapped"), 1);
}

TEST_F(HostTest, AKeyIsUsableThroughEveryHostFromTheMomentItIsMade) {
  for (int i = 0; i < 3; ++i) {
    const MacKey key = Generate();
    std::vector<std::shared_ptr<WaitingTask>> tasks;
    tasks.reserve(8);
    for (int j = 0; j < 8; ++j) tasks.push_back(Start(key));
    for (const auto& task : tasks) EXPECT_THAT(task->Wait(), IsOk());
    const Status destroyed = hsm_->DestroyKey(key.cka_id, In(kLong));
    ASSERT_TRUE(destroyed.has_value()) << ToString(destroyed.error());
    for (int j = 0; j < 4; ++j) {
      EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
    }
  }
  EXPECT_EQ(hsm_->ListKeys().size(), 1u);  // the fixture's
  const Result<Bytes> random = hsm_->GenerateRandom(64, In(kLong));
  ASSERT_TRUE(random.has_value());
  EXPECT_EQ(random->size(), 64u);
}

TEST_F(HostTest, ATaskThatIsRefusedReachesNoHost) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  SetFaults("C_Sign hang\n");  // whatever reaches the token does not come back
  auto task = std::make_shared<WaitingTask>(key, "message", In(kLong));
  task->refuse_admission = true;
  hsm_->ComputeMac(task);
  EXPECT_THAT(task->Wait(), Raises(Exception::kDisabledException));
  EXPECT_EQ(hsm_->hosts()->replacements, 0u);
  SetFaults("");
}

TEST_F(HostTest, ATaskThatIsRefusedMeanwhileIsGivenNoMac) {
  ASSERT_THAT(Mac(key_), IsOk());
  SetFaults("C_Sign delay_ms=300\n");
  const auto task = Start(key_);
  ASSERT_TRUE(WaitUntil([&] { return task->admitted > 0; }));
  task->refuse_admission = true;
  EXPECT_THAT(task->Wait(), Raises(Exception::kDisabledException));
  SetFaults("");
}

TEST_F(HostTest, OneHostIsKilledUnderLoadAndNoRequestFails) {
  Load load(*hsm_, key_, expected_);
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(load.Advance(50));
    const std::vector<pid_t> hosts = Hosts();
    ASSERT_EQ(hosts.size(), 2u);
    ASSERT_EQ(::kill(hosts[i % 2], SIGKILL), 0);
    ASSERT_TRUE(Replaced(i + 1));
  }
  EXPECT_EQ(load.wrong, 0);
  EXPECT_EQ(load.refused, 0);
  EXPECT_EQ(hsm_->hosts()->replacements, 4u);
}

TEST_F(HostTest, AllHostsAreKilledUnderLoadAndServiceIsBackSoon) {
  Load load(*hsm_, key_, expected_);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(load.Advance(50));
    for (const pid_t pid : Hosts()) ASSERT_EQ(::kill(pid, SIGKILL), 0);
    const SteadyTime killed = steady_clock::now();
    ASSERT_TRUE(WaitUntil([&] { return hsm_->hosts()->replacements == 2 * i; }));
    ASSERT_TRUE(load.Advance(1));
    const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - killed);
    std::printf("all hosts killed: first success after %d ms\n", static_cast<int>(took.count()));
    EXPECT_LT(took, seconds{2});
    ASSERT_TRUE(Replaced(2 * i));
  }
  EXPECT_EQ(load.wrong, 0);
}

TEST_F(HostTest, AHostThatHangsIsReplacedAndTheOthersServeMeanwhile) {
  Load load(*hsm_, key_, expected_, 2);
  ASSERT_TRUE(load.Advance(500));
  SetFaults("C_Sign hang claim=" + (token_.directory() / "hangs").string() + "\n");
  ASSERT_TRUE(Replaced(1));
  SetFaults("");
  ASSERT_TRUE(load.Advance(50));
  EXPECT_EQ(load.wrong, 0);
  EXPECT_EQ(load.refused, 0);
  EXPECT_TRUE(
      WaitUntil([&] { return events_.Count(Severity::kWarning, "did not come back") > 0; }));
}

TEST_F(HostTest, AKeyThatIsBeingMadeWhenItsHostEndsIsNotMadeTwice) {
  SetFaults("C_GenerateKey hang\n");
  const CkaId id = RandomId();
  std::thread killer([] {
    std::this_thread::sleep_for(milliseconds{200});
    for (const pid_t pid : Hosts()) ::kill(pid, SIGKILL);
  });
  const auto made = hsm_->GenerateKey(id, KeySpec::kHmac256, In(seconds{5}));
  killer.join();
  EXPECT_THAT(made, Raises(Exception::kDependencyTimeoutException));
  SetFaults("");
  ASSERT_TRUE(AllServe(2));
  EXPECT_EQ(hsm_->ListKeys().size(), 1u);  // the fixture's
  // A host that does not come back from making a key is given up as well, a while later.
  SetFaults("C_GenerateKey hang\n");
  const std::uint64_t replaced = hsm_->hosts()->replacements;
  EXPECT_THAT(hsm_->GenerateKey(id, KeySpec::kHmac256, In(milliseconds{100})),
              Raises(Exception::kDependencyTimeoutException));
  EXPECT_TRUE(WaitUntil([&] { return hsm_->hosts()->replacements > replaced; }));
  SetFaults("");
  ASSERT_TRUE(AllServe(2));
  EXPECT_THAT(hsm_->GenerateKey(id, KeySpec::kHmac256, In(kLong)), IsOk());
}

TEST_F(HostTest, AHostThatCannotStartSaysWhy) {
  hsm_.reset();
  const auto failure = [this](const std::function<void(TokenOptions&)>& change) {
    TokenOptions options = options_;
    change(options);
    Result<OpenToken, OpenError> open = Open(options, anchor_, random_, events_.sink());
    EXPECT_FALSE(open.has_value());
    return open.has_value() ? OpenError{OpenFailure::kTokenError, "it did open"} : open.error();
  };
  const OpenError module = failure([](TokenOptions& o) { o.module = "/dev/null"; });
  EXPECT_EQ(module.failure, OpenFailure::kConfiguration) << module.message;
  EXPECT_THAT(module.message, HasSubstr("/dev/null is not a PKCS#11 module"));
  const OpenError absent = failure([](TokenOptions& o) { o.uri = "pkcs11:token=none"; });
  EXPECT_EQ(absent.failure, OpenFailure::kTokenAbsent) << absent.message;
  const OpenError program = failure([](TokenOptions& o) { o.host_program = "/nowhere/host"; });
  EXPECT_EQ(program.failure, OpenFailure::kConfiguration);
  EXPECT_THAT(program.message, HasSubstr("/nowhere/host cannot be started"));
  const OpenError silent = failure([](TokenOptions& o) { o.host_program = "/bin/true"; });
  EXPECT_EQ(silent.failure, OpenFailure::kTokenError);
  EXPECT_THAT(silent.message, HasSubstr("ended before it had opened token test"));
  const OpenError user = failure([](TokenOptions& o) { o.host_user = "no-such-user"; });
  EXPECT_EQ(user.failure, OpenFailure::kConfiguration) << user.message;
}

TEST_F(HostTest, NoSecretIsInArgumentsOrEnvironmentAndOnlyOneSocketIsInherited) {
  std::ifstream in(token_.pin_file());
  std::string pin;
  std::getline(in, pin);
  ASSERT_GE(pin.size(), 8u);
  ASSERT_FALSE(Hosts().empty());
  for (const pid_t host : Hosts()) {
    const std::string environment = ReadProc(host, "environ");
    EXPECT_THAT(environment, HasSubstr("SOFTHSM2_CONF="));  // it can be read
    EXPECT_THAT(environment, Not(HasSubstr(pin)));
    EXPECT_THAT(ReadProc(host, "cmdline"), Not(HasSubstr(pin)));
    std::size_t sockets = 0;
    const std::string fds = "/proc/" + std::to_string(host) + "/fd";
    for (const auto& fd : std::filesystem::directory_iterator(fds)) {
      std::error_code error;
      if (std::filesystem::read_symlink(fd, error).string().starts_with("socket:")) ++sockets;
    }
    EXPECT_EQ(sockets, 1u);
    EXPECT_THAT(ReadProc(host, "limits"), ::testing::ContainsRegex("Max core file size +0 +0"));
  }
}

TEST_F(HostTest, HostsRunAsAnotherUserAndServe) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can take another user";
  hsm_.reset();
  const passwd* const user = ::getpwnam("nobody");
  ASSERT_NE(user, nullptr);
  const std::filesystem::path state = token_.directory() / "state";
  std::filesystem::create_directory(state);
  // The token is that user's.
  const std::filesystem::path home = token_.directory().parent_path();
  ASSERT_EQ(::chown(home.c_str(), user->pw_uid, user->pw_gid), 0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(home)) {
    ASSERT_EQ(::lchown(entry.path().c_str(), user->pw_uid, user->pw_gid), 0) << entry.path();
  }
  Reopen([&](TokenOptions& options) {
    options.hosts = 2;
    options.host_user = "nobody";
    options.host_directory = state;
    options.module = HALLMARK_SOFTHSM_MODULE;  // ours may lie where only root may read
  });
  ASSERT_EQ(Hosts().size(), 2u);
  for (const pid_t host : Hosts()) {
    std::string uids = "Uid:";  // real, effective, saved, of the file system
    for (int i = 0; i < 4; ++i) uids += "\t" + std::to_string(user->pw_uid);
    EXPECT_THAT(ReadProc(host, "status"), HasSubstr(uids));
  }
  const Result<MacTag> tag = Mac(key_);
  ASSERT_THAT(tag, IsOk());
  EXPECT_EQ(ToHex(tag->bytes()), expected_);
  // One that is killed is replaced by one of the same user.
  ASSERT_EQ(::kill(Hosts().front(), SIGKILL), 0);
  ASSERT_TRUE(Replaced(1));
  EXPECT_THAT(Mac(key_), IsOk());
}

TEST_F(HostTest, AHostEndsWithItsParentEvenWhileItHangs) {
  for (const bool hangs : {false, true}) {
    // A child of ours opens the token and is killed; its hosts must not survive it.
    hsm_.reset();
    SetFaults("");
    const pid_t parent = ::fork();
    if (parent == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the test fail before it kills it
      ::execl("/proc/self/exe", "host_test", "--gtest_filter=HostParent.DISABLED_Serves",
              "--gtest_also_run_disabled_tests", nullptr);
      ::_exit(127);
    }
    ASSERT_TRUE(WaitUntil([&] { return ChildrenOf(parent, kProgram).size() == 2; }));
    const std::vector<pid_t> hosts = ChildrenOf(parent, kProgram);
    if (hangs) {
      SetFaults("C_Sign hang\n");
      std::this_thread::sleep_for(milliseconds{500});
    }
    ASSERT_EQ(::kill(parent, SIGKILL), 0);
    ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
    for (const pid_t host : hosts) {
      EXPECT_TRUE(WaitUntil([&] {
        const std::string stat = ReadProc(host, "stat");
        return stat.empty() || stat.find(") Z") != std::string::npos;
      }));
    }
  }
  SetFaults("");
}

// The parent of the test above, in a process of its own. It ends only by being killed.
TEST(HostParent, DISABLED_Serves) {
  const testing::SoftHsmToken token;
  service::OsRandom random;
  TokenOptions options = token.options();
  const auto anchor = InitToken(options, random);
  ASSERT_TRUE(anchor.has_value());
  options.hosts = 2;
  options.host_hang_limit = seconds{60};
  auto open = Open(options, *anchor, random, {});
  ASSERT_TRUE(open.has_value()) << open.error().message;
  CkaId id;
  random.Fill(id);
  const auto key = open->hsm->GenerateKey(id, KeySpec::kHmac256, In(kLong));
  ASSERT_THAT(key, IsOk());
  for (;;) {
    const auto task = std::make_shared<WaitingTask>(MacKey{id, KeySpec::kHmac256, key->check_value},
                                                    "message", In(seconds{60}));
    open->hsm->ComputeMac(task);
    static_cast<void>(task->Wait());
    std::this_thread::sleep_for(milliseconds{10});
  }
}

// The host's end without its process: what it answers to who does not speak its language.
TEST(HostWireTest, AHostEndsWhenItIsToldNonsense) {
  for (const std::string& nonsense :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(64, '\0'), std::string(64, '\xff')}) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ASSERT_EQ(::send(ends[0], nonsense.data(), nonsense.size(), 0),
              static_cast<ssize_t>(nonsense.size()));
    ASSERT_EQ(::shutdown(ends[0], SHUT_WR), 0);
    service::OsRandom random;
    EXPECT_NE(host::ServeToken(ends[1], random), 0);
    char byte = 0;
    EXPECT_EQ(::recv(ends[0], &byte, 1, 0), 0) << "it answered";
    ::close(ends[0]);
  }
}

TEST(HostWireTest, MessagesAreReadOnlyWhole) {
  const host::MacRequest request{{{}, KeySpec::kHmac384, {}}, Bytes(100, std::byte{7})};
  const Bytes encoded = host::Encode(request);
  const auto decoded = host::Decode<host::MacRequest>(encoded);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->message, request.message);
  EXPECT_EQ(decoded->key.spec, KeySpec::kHmac384);
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_FALSE(host::Decode<host::MacRequest>(ByteView(encoded).first(size)).has_value()) << size;
  }
  Bytes longer = encoded;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(host::Decode<host::MacRequest>(longer).has_value());
  Bytes other_spec = encoded;
  other_spec[16] = std::byte{4};  // after the CKA_ID
  EXPECT_FALSE(host::Decode<host::MacRequest>(other_spec).has_value());
  const host::MacRequest too_long{{}, Bytes(host::kMaxMessageBytes + 1)};
  EXPECT_FALSE(host::Decode<host::MacRequest>(host::Encode(too_long)).has_value());
  Bytes many_keys = host::Encode(host::Keys{});
  many_keys[7] = std::byte{0x7f};
  EXPECT_FALSE(host::Decode<host::Keys>(many_keys).has_value());
}

TEST(HostWireTest, ErrorsAndOptionsArriveAsTheyWere) {
  const Error error = Throttled(milliseconds{250}, "busy");
  const auto read = host::DecodeError(host::EncodeError(error));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(ToString(*read), ToString(error));
  EXPECT_EQ(read->retry_after, error.retry_after);

  host::Hello hello;
  hello.token.token_id = "main";
  hello.token.module = "/usr/lib/module.so";
  hello.token.uri = "pkcs11:token=t?pin-source=p";
  hello.token.sessions = 3;
  hello.token.hosts = 2;
  hello.token.host_hang_limit = milliseconds{1234};
  hello.anchor.anchor_cka_id[3] = std::byte{9};
  const auto greeted = host::DecodeHello(host::EncodeHello(hello));
  ASSERT_TRUE(greeted.has_value());
  EXPECT_EQ(greeted->token.module, hello.token.module);
  EXPECT_EQ(greeted->token.uri, hello.token.uri);
  EXPECT_EQ(greeted->token.sessions, 3u);
  EXPECT_EQ(greeted->token.host_hang_limit, hello.token.host_hang_limit);
  EXPECT_EQ(greeted->anchor.anchor_cka_id, hello.anchor.anchor_cka_id);
  hello.version = host::kWireVersion + 1;
  EXPECT_FALSE(host::DecodeHello(host::EncodeHello(hello)).has_value());
}

}  // namespace
}  // namespace hallmark::pkcs11
