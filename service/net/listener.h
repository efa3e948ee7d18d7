// A socket that waits for connections.
#pragma once

#include "keystate/result.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::net {

// A file descriptor; closes it on destruction.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// Bound, listening, non-blocking and not inherited by children.
class Listener {
 public:
  // `address` is "host:port", "[v6]:port" or "host:0" for a free port.
  //
  // Errors (both): one line that names the address, the reason and the remedy.
  static Result<Listener, std::string> OpenTcp(std::string_view address);
  // A socket file with mode 0600. One that a dead process left behind is replaced; one that
  // somebody answers on is not.
  static Result<Listener, std::string> OpenUnix(const std::filesystem::path& path);

  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int fd() const { return fd_.get(); }
  bool is_unix() const { return !socket_file_.empty(); }
  // "127.0.0.1:9443", with the port that the system chose; the path for a Unix socket.
  const std::string& address() const { return address_; }

 private:
  Listener(UniqueFd fd, std::string address, std::filesystem::path socket_file)
      : fd_(std::move(fd)), address_(std::move(address)), socket_file_(std::move(socket_file)) {}

  UniqueFd fd_;
  std::string address_;
  std::filesystem::path socket_file_;  // removed with the listener; empty for TCP
};

}  // namespace hallmark::net
