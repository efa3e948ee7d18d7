// One connection: TLS, then requests and answers in turns. Of http_server.cc alone.
#pragma once

#include "keystate/clock.h"
#include "keystate/mutex.h"
#include "service/http/head_scanner.h"
#include "service/http/http_handler.h"
#include "service/http/http_server.h"
#include "service/http/request_head.h"
#include "service/net/active_calls.h"
#include "service/net/crew.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

namespace hallmark::http_front {

class Connection;

// What the connections of a server share; outlives them.
struct Hub {
  Hub(HttpHandler& of_requests, const HttpServerOptions& with)
      : handler(of_requests), options(with) {}

  HttpHandler& handler;
  const HttpServerOptions options;
  net::ActiveCalls active;
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> buffered_bytes{0};

  // Taken before that of a connection.
  Mutex mu;
  std::unordered_set<Connection*> connections HALLMARK_GUARDED_BY(mu);

  // Of the thread that asks; null outside the crew.
  static thread_local net::Crew::Desk* desk_;

  template <class F>
  void ForEach(F&& f) HALLMARK_EXCLUDES(mu) {
    MutexLock lock(mu);
    for (Connection* connection : connections) f(*connection);
  }
};

// Its steps follow each other, each begun by the end of the one before on whatever thread that
// came, so nothing of them is locked. Lives as long as a step is under way.
//
// Thread-safety: what other threads call says so.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Hub& hub, boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& tls);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();

  // From any thread, while it is in the hub's set:
  void EndIfOverdue(SteadyTime now);
  // Ends it unless a request is being answered: one that has not come as a whole has done nothing.
  void EndIfUnanswering();
  void CutOff() HALLMARK_EXCLUDES(mu_);

 private:
  enum class Phase {
    kIdle,      // the handshake, and between requests
    kReading,   // a part of a request has come
    kAnswering  // from the whole request until the client has the answer
  };
  using Step = void (Connection::*)();

  // `phase` of what is done next, and how long it may take at most.
  void Enter(Phase phase, std::chrono::milliseconds at_most);
  void ReadMore(std::size_t wanted, Step next);
  void BeginRequest();
  void ReadHead();
  void OnHead();
  void ReadBody();
  void Call();
  void Answer(const HttpAnswer& answer) noexcept;
  void Refuse(const HttpRefusal& refusal);
  void Write(Step next);
  void OnAnswered();
  void Close();
  void Linger();

  std::string_view received() const;
  bool Reserve(std::size_t bytes);
  void Release();
  // Ends every step under way. The socket is closed with this object only, so its number cannot
  // have become another's meanwhile.
  void ShutDownSocket();

  Hub& hub_;
  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream_;
  const int fd_;
  std::string peer_;

  boost::beast::flat_buffer buffer_;
  HeadScanner scanner_;
  RequestHead head_;
  std::string out_;
  std::size_t reserved_bytes_ = 0;
  bool keep_alive_ = true;
  bool known_ = false;  // a request of somebody who is known was answered

  std::atomic<Phase> phase_{Phase::kIdle};
  std::atomic<SteadyTime::rep> deadline_;

  Mutex mu_;
  std::uint64_t calls_ HALLMARK_GUARDED_BY(mu_) = 0;
  // The number of the call that is being answered, if any is, and what cancels it.
  std::optional<std::uint64_t> call_ HALLMARK_GUARDED_BY(mu_);
  HttpHandler::Cancelled cancelled_ HALLMARK_GUARDED_BY(mu_);
  bool cut_off_ HALLMARK_GUARDED_BY(mu_) = false;
};

}  // namespace hallmark::http_front
