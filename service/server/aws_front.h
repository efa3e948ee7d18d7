// The AWS front of the daemon, put together.
#pragma once

#include "keystate/clock.h"
#include "keystate/records.h"
#include "keystate/result.h"
#include "service/app/engine.h"
#include "service/authn/signature_authenticator.h"
#include "service/authn/signature_marks.h"
#include "service/config/config.h"
#include "service/http/aws_handler.h"
#include "service/http/http_server.h"
#include "service/log/log.h"
#include "service/log/request_log.h"
#include "service/metrics/metrics.h"
#include "service/net/connection_acceptor.h"
#include "service/net/listener.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::service {

// What tells which signatures a service before this one may have let count.
struct SignatureHistory {
  std::vector<SignatureMarkRecord> marks{};
  WallTime began{};  // when the store was already ours alone
};

// Who is told of what the front does; all outlive it.
struct AwsFrontWitnesses {
  Log& log;
  RequestLog& request_log;
  Metrics& metrics;
  net::ConnectionObserver& connections;
};

// Requests of AWS's clients on their way to the engine: HTTP, signatures, JSON.
//
// Thread-safety: every method may be called from any thread; Stop once, before destruction.
class AwsFront {
 public:
  // Begins to serve, in the second after `history.began` at the earliest. What is passed by
  // reference outlives the front, but for the history.
  //
  // Errors: one line, as those of HttpServer::Start.
  static Result<std::unique_ptr<AwsFront>, std::string> Start(
      const Config& config, net::Listener listener, const net::ConnectionLimits& limits,
      std::shared_ptr<const http_front::ServerTls> tls, const SignatureHistory& history,
      app::Engine& engine, const AwsFrontWitnesses& witnesses);

  // For what arrives from now on.
  void SetLimits(const net::ConnectionLimits& limits) { server_->door().SetLimits(limits); }
  void set_max_call_duration(std::chrono::milliseconds duration) {
    handler_.set_max_call_duration(duration);
  }
  void Replace(std::shared_ptr<const http_front::ServerTls> tls) {
    server_->Replace(std::move(tls));
  }

  // "127.0.0.1:9444".
  const std::string& address() const { return server_->door().address(); }

  // See HttpServer::Stop.
  void Stop(std::chrono::system_clock::time_point deadline) { server_->Stop(deadline); }

 private:
  AwsFront(const Config& config, const SignatureHistory& history, app::Engine& engine,
           const AwsFrontWitnesses& witnesses);

  authn::StoredSignatureMarks marks_;
  const std::unique_ptr<authn::SignatureAuthenticator> authenticator_;
  http_front::AwsHandler handler_;
  std::unique_ptr<http_front::HttpServer> server_;
};

}  // namespace hallmark::service
