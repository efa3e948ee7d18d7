// Accepts the connections of a front.
//
// gRPC's own listener is not used: version 1.51 stops accepting for ever after one EMFILE
// (CVE-2023-4785), and counts nothing.
#pragma once

#include "keystate/mutex.h"
#include "keystate/result.h"
#include "service/net/listener.h"

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

namespace hallmark::net {

struct ConnectionLimits {
  std::size_t max_connections = 0;
  // Of one IPv4 address or one IPv6 /64, which is what one host commands. A Unix socket is one
  // address.
  std::size_t max_connections_per_address = 0;
  // The section of the configuration that has them; warnings name it.
  const char* section = "grpc";
};

// What this process can hold open: raises RLIMIT_NOFILE to its hard limit and lowers `wanted` to
// what fits. A connection costs two descriptors, its front's and ours; some are kept back for store
// and token.
std::size_t FitToDescriptorLimit(std::size_t wanted);

struct ConnectionCounts {
  std::size_t open = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;          // beyond a limit, or by a foreign user
  std::uint64_t accept_failures = 0;  // mostly descriptors running out
};

// Told of what happens to connections, on the accepting thread. Must not block.
class ConnectionObserver {
 public:
  virtual ~ConnectionObserver() = default;
  virtual void Opened() = 0;
  virtual void Closed() = 0;
  virtual void Refused() = 0;
  // A line for operators, at most one a second.
  virtual void Warning(const std::string& text) = 0;
};

// Serves connections that were accepted.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  // On the accepting thread. Must not block. At its end, the connection is shut down in both
  // directions before it is closed: it is counted until then.
  virtual void Serve(UniqueFd connection, const Listener& listener) = 0;
};

// Counts connections from accept to end, before any of them has authenticated: a client that opens
// sockets and says nothing meets the limits like every other.
//
// Thread-safety: every method may be called from any thread.
class ConnectionAcceptor {
 public:
  // Begins to accept. `observer` outlives the acceptor.
  //
  // Errors: one line, when the system refuses the descriptors that accepting needs.
  static Result<std::unique_ptr<ConnectionAcceptor>, std::string> Start(
      Listener listener, ConnectionLimits limits, std::unique_ptr<ConnectionHandler> handler,
      ConnectionObserver& observer);
  // Stops accepting. Open connections belong to their front and live on, uncounted.
  ~ConnectionAcceptor();
  ConnectionAcceptor(const ConnectionAcceptor&) = delete;
  ConnectionAcceptor& operator=(const ConnectionAcceptor&) = delete;

  // Closes the listener and returns when no further connection will be handed over.
  void StopAccepting() HALLMARK_EXCLUDES(mu_);

  // For connections that are accepted from now on; none is closed.
  void SetLimits(ConnectionLimits limits);

  // Where we listen, or did.
  const std::string& address() const { return address_; }
  ConnectionCounts counts() const;

 private:
  using SteadyClock = std::chrono::steady_clock;
  // An address as the per-address limit sees it: family and significant bytes.
  using AddressKey = std::array<std::uint8_t, 9>;
  // What an epoll event is about. Never used again, unlike the numbers of descriptors: an event
  // that comes late must not be taken for one of the next connection.
  using WatchId = std::uint64_t;
  struct Connection {
    UniqueFd watch;
    AddressKey address{};
  };
  enum class AcceptOutcome { kOne, kNone, kExhausted };

  ConnectionAcceptor(Listener listener, ConnectionLimits limits,
                     std::unique_ptr<ConnectionHandler> handler, ConnectionObserver& observer,
                     UniqueFd epoll, UniqueFd wake);

  void Run(const std::stop_token& stop);
  void Wake();
  void CloseListener() HALLMARK_EXCLUDES(mu_);
  void Pause();
  void Resume();
  void SetListenerEvents(std::uint32_t events);
  void AcceptPending();
  AcceptOutcome AcceptOne();
  static AddressKey KeyOf(const sockaddr_storage& peer);
  // Empty: welcome.
  std::string WhyRefused(int fd, const AddressKey& address) const;
  bool Watch(int fd, const AddressKey& address);
  void Forget(WatchId id);
  void Warn(const std::string& text);

  const std::string address_;
  const bool is_unix_;
  const char* const section_;
  const std::unique_ptr<ConnectionHandler> handler_;
  ConnectionObserver& observer_;
  const UniqueFd epoll_;
  const UniqueFd wake_;  // an eventfd

  // Of the accepting thread alone.
  std::optional<Listener> listener_;
  std::optional<SteadyClock::time_point> paused_until_;
  std::unordered_map<WatchId, Connection> connections_;
  WatchId next_id_;
  std::map<AddressKey, std::size_t> per_address_;
  std::optional<SteadyClock::time_point> last_warning_;

  std::atomic<std::size_t> max_connections_;
  std::atomic<std::size_t> max_connections_per_address_;

  std::atomic<std::size_t> open_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> accept_failures_{0};

  std::atomic<bool> stop_accepting_{false};
  Mutex mu_;
  ConditionVariable closed_changed_;
  bool closed_ HALLMARK_GUARDED_BY(mu_) = false;

  std::jthread thread_;
};

}  // namespace hallmark::net
