#include "pkcs11/host/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace hallmark::pkcs11::host {
namespace {

class SpawnActions {
 public:
  SpawnActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class SpawnAttributes {
 public:
  SpawnAttributes() { ::posix_spawnattr_init(&attributes_); }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  posix_spawnattr_t* get() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

std::filesystem::path ProgramOf(const TokenOptions& options) {
  if (!options.host_program.empty()) return options.host_program;
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() /
         "hallmark-token-host";
}

Result<Process, std::string> Process::Start(const std::filesystem::path& program, int* socket) {
  const auto failed = [&program](int reason) {
    return Unexpected("the token host " + program.string() + " cannot be started (" +
                      std::strerror(reason) + "): install it beside hallmarkd");
  };
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return failed(errno);
  SpawnActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), STDIN_FILENO, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(actions.get(), ends[1], kHostSocket);
  ::posix_spawn_file_actions_addclosefrom_np(actions.get(), kHostSocket + 1);
  // Signals as in a fresh program: hallmarkd waits for some with a thread of its own.
  SpawnAttributes attributes;
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(attributes.get(), &none);
  ::posix_spawnattr_setsigdefault(attributes.get(), &all);
  ::posix_spawnattr_setflags(attributes.get(), POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = program.string();
  const std::array<char*, 2> arguments{name.data(), nullptr};
  pid_t pid = -1;
  const int reason =
      ::posix_spawn(&pid, name.c_str(), actions.get(), attributes.get(), arguments.data(), environ);
  static_cast<void>(::close(ends[1]));
  if (reason != 0) {
    static_cast<void>(::close(ends[0]));
    return failed(reason);
  }
  *socket = ends[0];
  return Process(pid);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), reaped_(std::exchange(other.reaped_, true)) {}

Process::~Process() {
  if (!Reap()) Kill();
}

void Process::Kill() const { static_cast<void>(::kill(pid_, SIGKILL)); }

bool Process::Reap() {
  if (reaped_) return true;
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  // Or somebody else has waited for it.
  reaped_ = ended == pid_ || (ended < 0 && errno == ECHILD);
  return reaped_;
}

}  // namespace hallmark::pkcs11::host
