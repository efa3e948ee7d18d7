// HTTP/1.1 over TLS: connections in, requests to a handler, answers out.
#pragma once

#include "keystate/result.h"
#include "service/http/http_handler.h"
#include "service/net/connection_acceptor.h"
#include "service/net/listener.h"
#include "service/net/tls_files.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace hallmark::http_front {

struct HttpServerOptions {
  std::chrono::milliseconds handshake_timeout{5'000};
  // For the head of a request from its first byte, for its body, and for taking the answer.
  std::chrono::milliseconds request_timeout{10'000};
  // Between requests.
  std::chrono::milliseconds idle_timeout{60'000};
  std::size_t max_head_bytes = 16 * 1024;
  std::size_t max_header_lines = 100;
  // A policy of 32 KiB may be twice that in JSON, and more with \u escapes.
  std::size_t max_body_bytes = 128 * 1024;
  // What all connections together may hold of bodies; more is refused with 503.
  std::size_t max_buffered_bytes = std::size_t{256} * 1024 * 1024;
};

// What connections have in common while they live.
class ServerTls;

// TLS 1.2 and 1.3, no client certificates. Keep-alive and pipelining: a connection's requests are
// answered one after the other, in their order, and not read before their turn. A connection costs
// no thread; a thread that a request holds up is replaced.
//
// Thread-safety: every method may be called from any thread; Stop once, before destruction.
class HttpServer {
 public:
  // What will be served with; see Replace.
  //
  // Errors: one line, when OpenSSL does not take it.
  static Result<std::shared_ptr<const ServerTls>, std::string> Prepare(
      const net::TlsMaterial& material);

  // Begins to serve. `handler` and `observer` outlive the server.
  //
  // Errors: one line that names the address, the reason and the remedy.
  static Result<std::unique_ptr<HttpServer>, std::string> Start(
      net::Listener listener, const net::ConnectionLimits& limits,
      std::shared_ptr<const ServerTls> tls, HttpHandler& handler, const HttpServerOptions& options,
      net::ConnectionObserver& observer);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // For connections that are accepted from now on.
  void Replace(std::shared_ptr<const ServerTls> tls);

  net::ConnectionAcceptor& door();

  // Accepts nothing new, ends idle connections, and lets requests that have begun end until
  // `deadline`; then cancels them. Returns when every request is answered. What is left of
  // connections goes with the server, after the token that may still work for one.
  void Stop(std::chrono::system_clock::time_point deadline);

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hallmark::http_front
