#include "tests/daemon/raw_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace hallmark::testing {
namespace {

void Require(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

}  // namespace

RawConnection::RawConnection(const std::string& target)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  Require(fd_ >= 0, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const int port = std::stoi(target.substr(target.rfind(':') + 1));
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Require(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "connect");
}

RawConnection::~RawConnection() {
  if (fd_ >= 0) ::close(fd_);
}

RawConnection::RawConnection(RawConnection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void RawConnection::Write(std::string_view text) const {
  // The server may have closed already: then the reading end tells.
  static_cast<void>(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL));
}

bool RawConnection::IsClosedWithin(std::chrono::milliseconds time) const {
  const auto deadline = std::chrono::steady_clock::now() + time;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd wanted{fd_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wanted, 1, static_cast<int>(left.count())) != 1) return false;
    std::array<char, 512> ignored{};
    if (::read(fd_, ignored.data(), ignored.size()) <= 0) return true;
  }
}

std::string RawConnection::ReadToEnd() const {
  std::string said;
  std::array<char, 4096> chunk{};
  for (;;) {
    pollfd wanted{fd_, POLLIN, 0};
    Require(::poll(&wanted, 1, 10'000) == 1, "the server does not close the connection");
    const ssize_t got = ::read(fd_, chunk.data(), chunk.size());
    if (got <= 0) return said;
    said.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

Finished HandshakeByOpenssl(const TestDaemon& daemon, const PemPair& credentials,
                            const std::vector<std::string>& flags) {
  const TemporaryDirectory directory;
  const auto certificate = directory.path() / "client.pem";
  const auto private_key = directory.path() / "client.key";
  WriteFile(certificate, credentials.certificate);
  WriteFile(private_key, credentials.private_key);
  std::vector<std::string> command{"/usr/bin/openssl",
                                   "s_client",
                                   "-connect",
                                   daemon.target(),
                                   "-alpn",
                                   "h2",
                                   "-cert",
                                   certificate.string(),
                                   "-key",
                                   private_key.string(),
                                   "-CAfile",
                                   (daemon.home() / "tls/ca.pem").string(),
                                   "-verify_return_error"};
  command.insert(command.end(), flags.begin(), flags.end());
  return Run(command);
}

}  // namespace hallmark::testing
