#include "tests/support/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

extern char** environ;

namespace hallmark::testing {
namespace {

constexpr std::chrono::milliseconds kPollInterval{2};

[[noreturn]] void Abort(const std::string& what) {
  std::perror(what.c_str());
  std::abort();
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments,
                           const std::vector<std::string>& environment,
                           const std::filesystem::path& output,
                           const std::filesystem::path& errors) {
  // The first setting of a name counts, so ours stand before the inherited ones.
  std::vector<std::string> settings = environment;
  for (char** inherited = environ; *inherited != nullptr; ++inherited)
    settings.emplace_back(*inherited);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND;
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), kAppend, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(), kAppend, 0600);
  const int failed = ::posix_spawnp(&pid_, arguments.front().c_str(), &actions, nullptr,
                                    Pointers(arguments).data(), Pointers(settings).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) Abort("cannot start " + arguments.front());
}

ChildProcess::~ChildProcess() {
  if (!exit_code_) {
    Signal(SIGKILL);
    static_cast<void>(WaitFor(std::chrono::seconds(10)));
  }
}

void ChildProcess::Signal(int number) const {
  if (!exit_code_) ::kill(pid_, number);
}

std::optional<int> ChildProcess::WaitFor(std::chrono::milliseconds at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  while (!exit_code_) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(kPollInterval);
  }
  return exit_code_;
}

Finished Run(const std::vector<std::string>& arguments,
             const std::vector<std::string>& environment) {
  const TemporaryDirectory directory;
  const auto output = directory.path() / "output";
  const auto errors = directory.path() / "errors";
  ChildProcess child(arguments, environment, output, errors);
  const std::optional<int> code = child.WaitFor(std::chrono::minutes(1));
  return {code.value_or(-1), ReadFile(output), ReadFile(errors)};
}

std::string ReadFile(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

void WriteFile(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path next = file.string() + ".new";
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    Abort("cannot write " + next.string());
  }
  ::close(fd);
  std::filesystem::rename(next, file);
}

}  // namespace hallmark::testing
