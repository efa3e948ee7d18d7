#include "service/net/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

namespace hallmark::net {
namespace {

constexpr int kBacklog = 1024;
constexpr int kSocketFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

struct HostPort {
  std::string host;
  std::string port;
};

std::optional<HostPort> SplitHostPort(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == address.size()) return std::nullopt;
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // "::1:9443" could be read in two ways
  }
  const std::string_view port = address.substr(colon + 1);
  // getaddrinfo would take 99999 for 34463.
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (host.empty() || error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return HostPort{std::string(host), std::string(port)};
}

Unexpected<std::string> Refuse(std::string_view address, std::string_view reason) {
  return Unexpected<std::string>(std::string(address).append(": ").append(reason));
}

Unexpected<std::string> RefuseForErrno(std::string_view address, int error) {
  switch (error) {
    case EADDRINUSE:
      return Refuse(address, "the port is in use; stop the other process or choose another port");
    case EACCES:
      return Refuse(address,
                    "not permitted; choose a port above 1023 or run with CAP_NET_BIND_SERVICE");
    case EADDRNOTAVAIL:
      return Refuse(address, "this machine has no such address; choose one of its own");
    default:
      return Refuse(address, std::string(std::strerror(error)) + "; choose another address");
  }
}

std::string BoundAddress(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host.data(), host.size(),
                  port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  const std::string name = host.data();
  return (address.ss_family == AF_INET6 ? "[" + name + "]" : name) + ":" + port.data();
}

// Whether a process listens behind the socket file.
bool Answers(const sockaddr_un& address) {
  const UniqueFd probe(socket(AF_UNIX, kSocketFlags, 0));
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return true;
  }
  // Anything but these two may be somebody who is only busy.
  return errno != ECONNREFUSED && errno != ENOENT;
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

Listener::~Listener() {
  // While we still listen: nobody can have put another socket there.
  if (fd_.valid() && is_unix()) unlink(socket_file_.c_str());
}

Result<Listener, std::string> Listener::OpenTcp(std::string_view address) {
  const std::optional<HostPort> parts = SplitHostPort(address);
  if (!parts.has_value()) return Refuse(address, "not an address; write host:port or [IPv6]:port");

  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* resolved = nullptr;
  const int failure = getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &resolved);
  if (failure != 0) {
    return Refuse(address,
                  std::string(gai_strerror(failure)) + "; write a numeric address and port");
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(resolved, &freeaddrinfo);

  UniqueFd fd(socket(resolved->ai_family, kSocketFlags, 0));
  if (!fd.valid()) return RefuseForErrno(address, errno);
  const int on = 1;
  // Without it a restart would wait for the connections of the last run to time out.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Inherited by what is accepted.
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(fd.get(), resolved->ai_addr, resolved->ai_addrlen) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    return RefuseForErrno(address, errno);
  }
  std::string bound = BoundAddress(fd.get());
  return Listener(std::move(fd), std::move(bound), {});
}

Result<Listener, std::string> Listener::OpenUnix(const std::filesystem::path& path) {
  const std::string name = path.string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) {
    return Refuse(name, "the path of a Unix socket has at most " +
                            std::to_string(sizeof address.sun_path - 1) +
                            " characters; choose a shorter admin.socket");
  }
  name.copy(static_cast<char*>(address.sun_path), name.size());

  struct stat info {};
  if (lstat(name.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return Refuse(name, "is not a socket; remove it or choose another admin.socket");
    }
    if (Answers(address)) {
      return Refuse(name, "another process listens there; stop it or choose another admin.socket");
    }
    unlink(name.c_str());
  }

  UniqueFd fd(socket(AF_UNIX, kSocketFlags, 0));
  if (!fd.valid()) return RefuseForErrno(name, errno);
  // bind() makes the file with the mode of the descriptor, so there is no moment when others may
  // connect.
  if (fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0 ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Refuse(name, std::string(std::strerror(errno)) + "; check the folder of admin.socket");
  }
  if (listen(fd.get(), kBacklog) != 0) return RefuseForErrno(name, errno);
  return Listener(std::move(fd), name, path);
}

}  // namespace hallmark::net
