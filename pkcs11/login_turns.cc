#include "pkcs11/login_turns.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace hallmark::pkcs11 {
namespace {

// Longer than a module takes to start on a token with many keys.
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kLookAgain{5};

}  // namespace

LoginTurns::LoginTurns(const std::filesystem::path& directory, const std::string& token_id)
    : file_(directory / ("login-turn-" + token_id)) {}

LoginTurns::Turn::~Turn() {
  if (fd_ >= 0) static_cast<void>(::close(fd_));
}

Result<LoginTurns::Turn, OpenError> LoginTurns::Take() const {
  if (file_.empty()) return Turn(-1);
  const int fd = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return Unexpected(OpenError{OpenFailure::kConfiguration,
                                "the file " + file_.string() + " cannot be opened (" +
                                    std::strerror(errno) + "): see to its owner and its folder"});
  }
  Turn turn(fd);
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  // By asking again and again, since a lock that is waited for has no time-out.
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return Unexpected(OpenError{OpenFailure::kConfiguration,
                                  "the file " + file_.string() + " cannot be locked (" +
                                      std::strerror(errno) + "): see to its file system"});
    }
    if (std::chrono::steady_clock::now() >= give_up) {
      return Unexpected(OpenError{OpenFailure::kTokenError,
                                  "another process has been logging in for too long (it holds " +
                                      file_.string() + "): see what it waits for"});
    }
    std::this_thread::sleep_for(kLookAgain);
  }
  return turn;
}

}  // namespace hallmark::pkcs11
