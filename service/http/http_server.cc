#include "service/http/http_server.h"

#include "service/http/http_connection.h"
#include "service/net/crew.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

namespace hallmark::http_front {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::milliseconds kDrainPoll{5};
constexpr std::chrono::milliseconds kLongestSweep{250};

// How often overdue connections are looked for: they may live a quarter of their time longer.
std::chrono::milliseconds SweepInterval(const HttpServerOptions& options) {
  const auto shortest =
      std::min({options.handshake_timeout, options.request_timeout, options.idle_timeout});
  return std::clamp(shortest / 4, std::chrono::milliseconds(1), kLongestSweep);
}

}  // namespace

class ServerTls {
 public:
  ServerTls() : context_(asio::ssl::context::tls_server) {}

  asio::ssl::context& context() const { return context_; }

 private:
  mutable asio::ssl::context context_;  // OpenSSL makes connections of it from any thread
};

Result<std::shared_ptr<const ServerTls>, std::string> HttpServer::Prepare(
    const net::TlsMaterial& material) try {
  auto tls = std::make_shared<ServerTls>();
  asio::ssl::context& context = tls->context();
  SSL_CTX* const raw = context.native_handle();
  const bool configured = SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1 &&
                          // Of TLS 1.2; those of 1.3 are another list, and all of them are good.
                          SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // OpenSSL keeps no buffers for a connection that waits; Asio keeps two of 17 KiB. Sessions are in
  // the clients' tickets, not in our memory.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  context.use_certificate_chain(asio::buffer(material.certificate_chain));
  context.use_private_key(asio::buffer(material.private_key), asio::ssl::context::pem);
  if (!configured) return Unexpected<std::string>("OpenSSL does not take the TLS settings");
  return std::shared_ptr<const ServerTls>(std::move(tls));
} catch (const std::exception& failure) {
  return Unexpected<std::string>(std::string("OpenSSL does not serve with the certificate: ") +
                                 failure.what());
}

// Members go from the last to the first: threads, then the steps of connections that are left, then
// what those use.
class HttpServer::Impl {
 public:
  Impl(std::shared_ptr<const ServerTls> tls, HttpHandler& handler, const HttpServerOptions& options)
      : hub_(handler, options), tls_(std::move(tls)) {
    crew_.emplace([this](net::Crew::Desk& desk) { return Serve(desk); });
    sweeper_ = std::jthread([this](const std::stop_token& stop) { Sweep(stop); });
  }

  ~Impl() {
    io_.stop();
    if (!stopped_) crew_->ShutDown();
  }

  // On the acceptor's thread.
  void Adopt(net::UniqueFd fd) {
    // With it the connection is ended if that fails where its own descriptor is closed already.
    const net::UniqueFd twin(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    const bool named = getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &size) == 0;
    asio::ip::tcp::socket socket(io_);
    error_code error;
    if (named) {
      socket.assign(local.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(),
                    fd.get(), error);
    }
    if (!named || error) {
      ::shutdown(fd.get(), SHUT_RDWR);
      return;
    }
    static_cast<void>(fd.release());
    const std::shared_ptr<const ServerTls> tls = CurrentTls();
    try {
      std::make_shared<Connection>(hub_, std::move(socket), tls->context())->Start();
    } catch (const std::exception&) {  // no memory
      ::shutdown(twin.get(), SHUT_RDWR);
    }
  }

  void Replace(std::shared_ptr<const ServerTls> tls) {
    MutexLock lock(mu_);
    tls_.swap(tls);
  }

  net::ConnectionAcceptor& door() { return *acceptor_; }

  Result<void, std::string> Listen(net::Listener listener, const net::ConnectionLimits& limits,
                                   net::ConnectionObserver& observer) {
    auto acceptor = net::ConnectionAcceptor::Start(std::move(listener), limits,
                                                   std::make_unique<Intake>(*this), observer);
    if (!acceptor.has_value()) return Unexpected(std::move(acceptor).error());
    acceptor_ = *std::move(acceptor);
    return {};
  }

  void Stop(std::chrono::system_clock::time_point deadline) {
    // First: whoever sees that nobody is let in any more gets no answer that keeps a connection.
    hub_.draining = true;
    acceptor_->StopAccepting();
    while (std::chrono::system_clock::now() < deadline && !empty()) {
      hub_.ForEach([](Connection& connection) { connection.EndIfUnanswering(); });
      std::this_thread::sleep_for(kDrainPoll);
    }
    hub_.ForEach([](Connection& connection) { connection.CutOff(); });
    while (!hub_.active.none()) std::this_thread::sleep_for(kDrainPoll);
    io_.stop();
    crew_->ShutDown();
    stopped_ = true;
  }

  bool stopped() const { return stopped_; }

 private:
  class Intake final : public net::ConnectionHandler {
   public:
    explicit Intake(Impl& server) : server_(server) {}
    void Serve(net::UniqueFd connection, const net::Listener&) override {
      server_.Adopt(std::move(connection));
    }

   private:
    Impl& server_;
  };

  std::shared_ptr<const ServerTls> CurrentTls() {
    MutexLock lock(mu_);
    return tls_;
  }

  bool empty() {
    MutexLock lock(hub_.mu);
    return hub_.connections.empty();
  }

  bool Serve(net::Crew::Desk& desk) {
    Hub::desk_ = &desk;
    try {
      return io_.run_one() > 0;
    } catch (const std::exception&) {  // no memory for a step: its connection has ended with it
      return true;
    }
  }

  // Ends what is overdue. On a thread of its own: it must go on when there is no memory, of which
  // a timer needs some.
  void Sweep(const std::stop_token& stop) {
    Mutex mu;
    ConditionVariable stopped;
    const MutexLock lock(mu);
    while (!stop.stop_requested()) {
      stopped.wait_for(mu, stop, SweepInterval(hub_.options), [] { return false; });
      hub_.ForEach([now = std::chrono::steady_clock::now()](Connection& connection) {
        connection.EndIfOverdue(now);
      });
    }
  }

  Hub hub_;
  Mutex mu_;
  std::shared_ptr<const ServerTls> tls_ HALLMARK_GUARDED_BY(mu_);
  bool stopped_ = false;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::optional<net::Crew> crew_;
  std::jthread sweeper_;
  std::unique_ptr<net::ConnectionAcceptor> acceptor_;
};

Result<std::unique_ptr<HttpServer>, std::string> HttpServer::Start(
    net::Listener listener, const net::ConnectionLimits& limits,
    std::shared_ptr<const ServerTls> tls, HttpHandler& handler, const HttpServerOptions& options,
    net::ConnectionObserver& observer) {
  auto impl = std::make_unique<Impl>(std::move(tls), handler, options);
  HALLMARK_RETURN_IF_ERROR(impl->Listen(std::move(listener), limits, observer));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  if (!impl_->stopped()) Stop(std::chrono::system_clock::now());
}

void HttpServer::Replace(std::shared_ptr<const ServerTls> tls) { impl_->Replace(std::move(tls)); }

net::ConnectionAcceptor& HttpServer::door() { return impl_->door(); }

void HttpServer::Stop(std::chrono::system_clock::time_point deadline) { impl_->Stop(deadline); }

}  // namespace hallmark::http_front
