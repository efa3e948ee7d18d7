#include "service/net/connection_acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace hallmark::net {
namespace {

// How long to leave the backlog alone when descriptors have run out.
constexpr std::chrono::milliseconds kPause{50};
constexpr std::chrono::seconds kWarningInterval{1};
// Fair to the ends of connections, which wait for the same thread.
constexpr int kMaxAcceptsPerTurn = 64;

// The ids of what is watched besides connections, whose ids follow.
constexpr std::uint64_t kWakeId = 0;
constexpr std::uint64_t kListenerId = 1;
constexpr std::uint64_t kFirstConnectionId = 2;

bool ControlEpoll(int epoll, int action, int fd, std::uint64_t id, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return epoll_ctl(epoll, action, fd, &event) == 0;
}

bool AddToEpoll(int epoll, int fd, std::uint64_t id, std::uint32_t events) {
  return ControlEpoll(epoll, EPOLL_CTL_ADD, fd, id, events);
}

// Whether a process of another user is behind the Unix connection.
bool IsForeignUser(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return true;
  return peer.uid != geteuid() && peer.uid != 0;
}

}  // namespace

std::size_t FitToDescriptorLimit(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  if (limit.rlim_cur == RLIM_INFINITY) return wanted;
  const auto descriptors = static_cast<std::size_t>(limit.rlim_cur);
  const std::size_t kept_back = std::clamp<std::size_t>(descriptors / 4, 32, 256);
  const std::size_t room = descriptors > kept_back ? (descriptors - kept_back) / 2 : 0;
  return std::min(wanted, std::max<std::size_t>(room, 1));
}

Result<std::unique_ptr<ConnectionAcceptor>, std::string> ConnectionAcceptor::Start(
    Listener listener, ConnectionLimits limits, std::unique_ptr<ConnectionHandler> handler,
    ConnectionObserver& observer) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !wake.valid() || !AddToEpoll(epoll.get(), wake.get(), kWakeId, EPOLLIN) ||
      !AddToEpoll(epoll.get(), listener.fd(), kListenerId, EPOLLIN)) {
    return Unexpected<std::string>(listener.address() + ": " + std::strerror(errno) +
                                   "; raise the limit of open files");
  }
  return std::unique_ptr<ConnectionAcceptor>(
      new ConnectionAcceptor(std::move(listener), limits, std::move(handler), observer,
                             std::move(epoll), std::move(wake)));
}

ConnectionAcceptor::ConnectionAcceptor(Listener listener, ConnectionLimits limits,
                                       std::unique_ptr<ConnectionHandler> handler,
                                       ConnectionObserver& observer, UniqueFd epoll, UniqueFd wake)
    : address_(listener.address()),
      is_unix_(listener.is_unix()),
      section_(limits.section),
      handler_(std::move(handler)),
      observer_(observer),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      listener_(std::move(listener)),
      next_id_(kFirstConnectionId),
      max_connections_(limits.max_connections),
      max_connections_per_address_(limits.max_connections_per_address),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

ConnectionAcceptor::~ConnectionAcceptor() {
  thread_.request_stop();
  Wake();
}

void ConnectionAcceptor::StopAccepting() {
  stop_accepting_ = true;
  Wake();
  const MutexLock lock(mu_);
  while (!closed_) closed_changed_.wait(mu_);
}

void ConnectionAcceptor::SetLimits(ConnectionLimits limits) {
  max_connections_ = limits.max_connections;
  max_connections_per_address_ = limits.max_connections_per_address;
}

ConnectionCounts ConnectionAcceptor::counts() const {
  return {open_, accepted_, refused_, accept_failures_};
}

void ConnectionAcceptor::Wake() {
  // Cannot fail but for a full counter, and then the thread is awake anyway.
  static_cast<void>(eventfd_write(wake_.get(), 1));
}

void ConnectionAcceptor::Run(const std::stop_token& stop) {
  std::array<epoll_event, 64> events{};
  while (!stop.stop_requested()) {
    const int timeout_ms = paused_until_.has_value() ? static_cast<int>(kPause.count()) : -1;
    const int ready =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
    if (stop_accepting_) CloseListener();
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kWakeId) {
        eventfd_t ignored = 0;
        static_cast<void>(eventfd_read(wake_.get(), &ignored));
      } else if (event.data.u64 == kListenerId) {
        if (listener_.has_value()) AcceptPending();
      } else if ((event.events & EPOLLHUP) != 0) {
        Forget(event.data.u64);
      }
    }
    if (paused_until_.has_value() && SteadyClock::now() >= *paused_until_) Resume();
  }
  CloseListener();
}

void ConnectionAcceptor::CloseListener() {
  listener_.reset();  // closing takes it out of the epoll set
  paused_until_.reset();
  const MutexLock lock(mu_);
  closed_ = true;
  closed_changed_.notify_all();
}

void ConnectionAcceptor::Pause() {
  SetListenerEvents(0);
  paused_until_ = SteadyClock::now() + kPause;
}

void ConnectionAcceptor::Resume() {
  SetListenerEvents(EPOLLIN);
  paused_until_.reset();
}

void ConnectionAcceptor::SetListenerEvents(std::uint32_t events) {
  ControlEpoll(epoll_.get(), EPOLL_CTL_MOD, listener_->fd(), kListenerId, events);
}

void ConnectionAcceptor::AcceptPending() {
  for (int i = 0; i < kMaxAcceptsPerTurn; ++i) {
    switch (AcceptOne()) {
      case AcceptOutcome::kOne:
        break;
      case AcceptOutcome::kNone:
        return;
      case AcceptOutcome::kExhausted:
        // The backlog keeps the connection until descriptors come free; never give up listening.
        ++accept_failures_;
        Warn(std::string("cannot accept: ") + std::strerror(errno) +
             "; raise the limit of open files");
        Pause();
        return;
    }
  }
}

ConnectionAcceptor::AcceptOutcome ConnectionAcceptor::AcceptOne() {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  UniqueFd fd(accept4(listener_->fd(), reinterpret_cast<sockaddr*>(&peer), &size,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) {
    switch (errno) {
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        return AcceptOutcome::kExhausted;
      case EAGAIN:
        return AcceptOutcome::kNone;
      default:
        // The client's or its network's trouble (ECONNABORTED, EPROTO, …), or a signal: next.
        return AcceptOutcome::kOne;
    }
  }

  const AddressKey address = KeyOf(peer);
  if (const std::string reason = WhyRefused(fd.get(), address); !reason.empty()) {
    ++refused_;
    observer_.Refused();
    Warn("connection refused: " + reason);
    return AcceptOutcome::kOne;
  }
  if (!Watch(fd.get(), address)) return AcceptOutcome::kExhausted;
  ++accepted_;
  handler_->Serve(std::move(fd), *listener_);
  return AcceptOutcome::kOne;
}

ConnectionAcceptor::AddressKey ConnectionAcceptor::KeyOf(const sockaddr_storage& peer) {
  AddressKey key{};
  if (peer.ss_family == AF_INET) {
    key[0] = 4;
    std::memcpy(&key[1], &reinterpret_cast<const sockaddr_in&>(peer).sin_addr, 4);
  } else if (peer.ss_family == AF_INET6) {
    const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      key[0] = 4;
      std::memcpy(&key[1], &address.s6_addr[12], 4);
    } else {
      key[0] = 6;
      std::memcpy(&key[1], static_cast<const std::uint8_t*>(address.s6_addr), 8);
    }
  }
  return key;
}

std::string ConnectionAcceptor::WhyRefused(int fd, const AddressKey& address) const {
  if (is_unix_ && IsForeignUser(fd)) {
    return "the process belongs to another user; use the daemon's own user or root";
  }
  if (connections_.size() >= max_connections_) {
    return std::string("the limit of connections is reached; raise ") + section_ +
           ".max_connections and the limit of open files";
  }
  const auto same = per_address_.find(address);
  if (same != per_address_.end() && same->second >= max_connections_per_address_) {
    return std::string("the limit of connections of one address is reached; raise ") + section_ +
           ".max_connections_per_address";
  }
  return {};
}

// gRPC does not tell when a connection ends. But it shuts its descriptor down in both directions
// before it closes it, as every front must, which a duplicate sees as EPOLLHUP; so does a reset by
// the client.
bool ConnectionAcceptor::Watch(int fd, const AddressKey& address) {
  UniqueFd watch(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  // EPOLLHUP is always reported, and nothing else is asked for: traffic does not wake us.
  if (!watch.valid() || !AddToEpoll(epoll_.get(), watch.get(), next_id_, EPOLLET)) return false;
  connections_.emplace(next_id_++, Connection{std::move(watch), address});
  ++per_address_[address];
  ++open_;
  observer_.Opened();
  return true;
}

void ConnectionAcceptor::Forget(WatchId id) {
  const auto ended = connections_.find(id);
  if (ended == connections_.end()) return;
  // Closing does not: what epoll watches is the socket, and the front's descriptor keeps that open.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, ended->second.watch.get(), nullptr);
  const auto same = per_address_.find(ended->second.address);
  if (--same->second == 0) per_address_.erase(same);
  connections_.erase(ended);
  --open_;
  observer_.Closed();
}

void ConnectionAcceptor::Warn(const std::string& text) {
  const SteadyClock::time_point now = SteadyClock::now();
  if (last_warning_.has_value() && now - *last_warning_ < kWarningInterval) return;
  last_warning_ = now;
  observer_.Warning(address_ + ": " + text);
}

}  // namespace hallmark::net
