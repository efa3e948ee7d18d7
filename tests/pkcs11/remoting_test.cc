// A token behind p11-kit's remoting, whose processes die under load.
#include "tests/pkcs11/load.h"
#include "tests/support/child_process.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;
using testing::ChildProcess;
namespace fs = std::filesystem;

// `p11-kit server`, which forks a p11-kit-remote for each connection.
class Listener {
 public:
  explicit Listener(const fs::path& directory) : directory_(directory) { Start(); }

  fs::path socket() const { return directory_ / "p11.sock"; }

  void Start() {
    std::error_code error;
    fs::remove(socket(), error);  // one that was killed leaves it behind
    process_.emplace(std::vector<std::string>{"/usr/bin/p11-kit", "server", "--foreground",
                                              "--name", socket().string(), "--provider",
                                              HALLMARK_SOFTHSM_MODULE, "pkcs11:"},
                     std::vector<std::string>{}, directory_ / "server.out",
                     directory_ / "server.err");
    EXPECT_TRUE(WaitUntil([this] { return Listens(); }));
  }
  // And reaps it.
  void Kill() { process_.reset(); }

  // The processes that serve connections.
  std::vector<pid_t> Remotes() const {
    std::vector<pid_t> remotes;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      if (pid > 0 && IsBelow(pid)) remotes.push_back(pid);
    }
    return remotes;
  }

 private:
  // The socket's file is there a moment before that.
  bool Listens() const {
    constexpr std::string_view kAcceptsConnections = "00010000";  // __SO_ACCEPTCON
    std::ifstream sockets("/proc/net/unix");
    for (std::string line; std::getline(sockets, line);) {
      if (line.ends_with(socket().string()) &&
          line.find(kAcceptsConnections) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  bool IsBelow(pid_t pid) const {
    while (pid > 1) {
      std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
      std::string text;
      std::getline(stat, text);
      const std::size_t name_end = text.rfind(')');
      if (name_end == std::string::npos) return false;
      std::istringstream rest(text.substr(name_end + 1));
      std::string state;
      pid_t parent = 0;
      rest >> state >> parent;
      if (parent == process_->pid()) return true;
      pid = parent;
    }
    return false;
  }

  const fs::path directory_;
  std::optional<ChildProcess> process_;
};

class RemotingTest : public OpenedTokenTest {
 protected:
  void SetUp() override {
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));  // as the daemon does
    listener_.emplace(token_.directory());
    ASSERT_EQ(::setenv("P11_KIT_SERVER_ADDRESS",
                       ("unix:path=" + listener_->socket().string()).c_str(), 1),
              0);
    Reopen([](TokenOptions& options) {
      options.module = HALLMARK_P11_KIT_CLIENT;
      options.sessions = 1;  // see "Tokens" in pkcs11/README.md
    });
    ASSERT_NE(hsm_, nullptr);
    key_ = Generate();
    const Result<MacTag> tag = Mac(key_);
    ASSERT_THAT(tag, IsOk());
    expected_ = ToHex(tag->bytes());
  }
  void TearDown() override {
    hsm_.reset();
    OpenedTokenTest::TearDown();
  }

  // Under load: `strike`, after which the token serves again within two seconds.
  void ExpectBackAfter(const char* what, const std::function<void()>& strike) {
    Load load(*hsm_, key_, expected_);
    ASSERT_TRUE(WaitUntil([&] { return load.right > 20; }));
    const std::uint64_t before = hsm_->recoveries().reinitialisations;
    const SteadyTime struck = std::chrono::steady_clock::now();
    strike();
    ASSERT_TRUE(WaitUntil([&] { return hsm_->recoveries().reinitialisations > before; }));
    const int right = load.right;
    ASSERT_TRUE(WaitUntil([&] { return load.right > right; }));
    const auto back = std::chrono::steady_clock::now() - struck;
    static_cast<void>(std::printf(
        "service again after the end of %s: %lld ms\n", what,
        static_cast<long long>(std::chrono::duration_cast<milliseconds>(back).count())));
    EXPECT_LT(back, milliseconds(2'000));
    EXPECT_EQ(load.wrong, 0);
  }

  static void Kill(const std::vector<pid_t>& processes) {
    for (const pid_t process : processes) ::kill(process, SIGKILL);
  }

  std::optional<Listener> listener_;
  MacKey key_;
  std::string expected_;
};

// One test: p11-kit's client keeps the address that it found first.
TEST_F(RemotingTest, SurvivesTheEndOfItsProcesses) {
  EXPECT_THAT(hsm_->GenerateKey(RandomId(), KeySpec::kHmac224, In(kLong)),
              Raises(Exception::kUnsupportedOperationException));
  ExpectBackAfter("the process that serves the connection", [this] {
    const std::vector<pid_t> remotes = listener_->Remotes();
    EXPECT_FALSE(remotes.empty());
    Kill(remotes);
  });
  ExpectBackAfter("both, the listener started again", [this] {
    const std::vector<pid_t> remotes = listener_->Remotes();
    listener_->Kill();
    Kill(remotes);
    listener_->Start();
  });
  // The connection has a process of its own, and does not notice.
  const std::uint64_t before = hsm_->recoveries().reinitialisations;
  const std::vector<pid_t> remotes = listener_->Remotes();
  listener_->Kill();
  for (int i = 0; i < 20; ++i) EXPECT_THAT(Mac(key_), IsOk());
  EXPECT_EQ(hsm_->recoveries().reinitialisations, before);
  // Nobody listens: no slots, which counts as a token that is out.
  Kill(remotes);
  EXPECT_TRUE(WaitUntil([this] { return !Mac(key_).has_value(); }));
  EXPECT_TRUE(WaitUntil([this] { return !hsm_->available(); }));
  listener_->Start();
  EXPECT_TRUE(WaitUntil([this] { return hsm_->available(); }));
  EXPECT_THAT(Mac(key_), IsOk());
  Kill(listener_->Remotes());
}

}  // namespace
}  // namespace hallmark::pkcs11
