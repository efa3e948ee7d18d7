// A real HTTP server over TLS whose handler repeats what it was asked.
#pragma once

#include "service/http/http_server.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_certificates.h"
#include "tests/support/tls_client.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace hallmark::testing {

template <class T>
T Must(Result<T, std::string> result) {
  if (!result.has_value()) {
    std::fprintf(stderr, "echo server: %s\n", result.error().c_str());
    std::abort();
  }
  return *std::move(result);
}

// Answers with the body. A body "hang" waits for the gate first, "later" is answered by another
// thread, "early" before its call is over, "long" with a megabyte.
class EchoHandler final : public http_front::HttpHandler {
 public:
  ~EchoHandler() override { Open(); }

  void Refused(int status) noexcept override { refused = status; }
  Cancelled Handle(const authn::SignedRequest& request, std::string_view peer,
                   Answer answer) override {
    ++requests;
    if (request.body == "hang") {
      ++hanging;
      gate_future_.wait();
    }
    http_front::HttpAnswer echo{.request_id = "id", .body = std::string(request.body)};
    if (request.body == "busy") echo.retry_after = std::chrono::milliseconds(1500);
    echo.ends_connection = request.body == "stranger";
    if (request.body == "peer") echo.body = peer;
    if (request.body == "long") echo.body.assign(1024 * 1024, 'x');
    if (request.body == "later") {
      auto cancelled = std::make_shared<std::atomic<bool>>(false);
      std::thread([this, echo, cancelled, answer = std::move(answer)]() mutable {
        while (!cancelled->load() &&
               gate_future_.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
        }
        if (cancelled->load()) echo.body = "cancelled";
        --later;
        answer(std::move(echo));  // after it this may be gone
      }).detach();
      ++later;
      return cancelled;
    }
    if (request.body == "early") {
      ++early;
      answer(std::move(echo));
      while (!early_may_return) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      --early;
      return std::make_shared<std::atomic<bool>>(false);
    }
    answer(std::move(echo));
    return nullptr;
  }

  void Open() {
    if (!open_.exchange(true)) gate_.set_value();
  }

  std::atomic<int> requests{0};
  std::atomic<int> refused{0};  // the last status; 0: none
  std::atomic<int> hanging{0};
  std::atomic<int> later{0};
  std::atomic<int> early{0};
  std::atomic<bool> early_may_return{false};

 private:
  std::atomic<bool> open_{false};
  std::promise<void> gate_;
  const std::shared_future<void> gate_future_{gate_.get_future()};
};

class PrintingObserver final : public net::ConnectionObserver {
 public:
  void Opened() override {}
  void Closed() override {}
  void Refused() override {}
  void Warning(const std::string& text) override { std::fprintf(stderr, "%s\n", text.c_str()); }
};

// Whether `condition` becomes true within twenty seconds.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

class EchoServer {
 public:
  explicit EchoServer(const http_front::HttpServerOptions& options = {},
                      const net::ConnectionLimits& limits = {2'000, 2'000, "aws"}) {
    server_ = Must(http_front::HttpServer::Start(Must(net::Listener::OpenTcp("127.0.0.1:0")),
                                                 limits, Tls(authority_.IssueServer()), handler_,
                                                 options, observer_));
  }

  std::shared_ptr<const http_front::ServerTls> Tls(const PemPair& pair) const {
    const TemporaryDirectory directory;
    return Must(http_front::HttpServer::Prepare(
        Must(net::ReadTlsFiles({directory.Write("server.pem", pair.certificate),
                                directory.Write("server.key", pair.private_key),
                                directory.Write("ca.pem", authority_.certificate())}))));
  }

  std::uint16_t port() const {
    const std::string& address = server_->door().address();
    return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  }
  std::size_t open() const { return server_->door().counts().open; }
  http_front::HttpServer& server() { return *server_; }
  EchoHandler& handler() { return handler_; }
  const TestAuthority& authority() const { return authority_; }

 private:
  TestAuthority authority_;
  EchoHandler handler_;
  PrintingObserver observer_;
  std::unique_ptr<http_front::HttpServer> server_;
};

}  // namespace hallmark::testing
