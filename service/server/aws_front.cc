#include "service/server/aws_front.h"

#include "service/app/operations.h"
#include "service/app/stranger_budget.h"
#include "service/authn/sigv4_authenticator.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>

namespace hallmark::service {
namespace {

// Beyond it a canonical request is not shown: who signs wrongly decides how long it is.
constexpr std::size_t kMaxShownBytes = 2048;

authn::SigV4Options OptionsOf(const Config& config, const Clock& clock, Log& log) {
  authn::SigV4Options options;
  options.region = config.site.region;
  options.allow_replay = config.sigv4.allow_replay;
  // One a second, for who debugs a client of his own.
  options.wants_mismatch = [&log, &clock, budget = std::make_shared<app::StrangerBudget>()] {
    return log.Enabled(LogLevel::kDebug) && budget->Note(clock.SteadyNow()).has_value();
  };
  options.on_mismatch = [&log](const authn::SignatureMismatch& mismatch) {
    log.Write(LogLevel::kDebug, "signature",
              {{"access_key_id", mismatch.access_key_id},
               {"canonical_request", mismatch.canonical_request.substr(0, kMaxShownBytes)},
               {"string_to_sign", mismatch.string_to_sign}});
  };
  return options;
}

http_front::Backend BackendOf(app::Engine& engine, const AwsFrontWitnesses& witnesses) {
  return {.dispatch =
              [&engine](const app::CallPtr& call, const google::protobuf::Message& request,
                        google::protobuf::Message* response, app::Done done) {
                app::Dispatch(engine, call, request, response, std::move(done));
              },
          .clock = engine.clock,
          .audit = engine.audit,
          .on_finished = engine.on_finished,
          .on_unserved = [&metrics = witnesses.metrics](int status) { metrics.Unserved(status); },
          .on_unsupported =
              [&request_log = witnesses.request_log](const app::AuditEvent& event,
                                                     const Error& refusal) {
                request_log.Refused(app::Protocol::kAws, event, refusal);
              }};
}

http_front::HttpServerOptions HttpOptionsOf(const Config& config) {
  http_front::HttpServerOptions options;
  options.handshake_timeout = config.aws.handshake_timeout;
  options.request_timeout = config.aws.request_timeout;
  options.idle_timeout = config.aws.idle_timeout;
  return options;
}

}  // namespace

AwsFront::AwsFront(const Config& config, const SignatureHistory& history, app::Engine& engine,
                   const AwsFrontWitnesses& witnesses)
    : marks_(engine.store, history.marks, history.began),
      authenticator_(std::make_unique<authn::SigV4Authenticator>(
          OptionsOf(config, engine.clock, witnesses.log), engine.principals, engine.sealer, marks_,
          engine.clock)),
      handler_(BackendOf(engine, witnesses), *authenticator_, config.grpc.max_call_duration) {
  if (const Status removed = marks_.RemovePast(); !removed) {
    witnesses.log.Write(LogLevel::kWarning, "signature marks",
                        {{"text", "past ones stay in the store: " + ToString(removed.error())}});
  }
}

Result<std::unique_ptr<AwsFront>, std::string> AwsFront::Start(
    const Config& config, net::Listener listener, const net::ConnectionLimits& limits,
    std::shared_ptr<const http_front::ServerTls> tls, const SignatureHistory& history,
    app::Engine& engine, const AwsFrontWitnesses& witnesses) {
  using std::chrono::seconds;
  std::unique_ptr<AwsFront> front(new AwsFront(config, history, engine, witnesses));
  // No signature of the second in which we began may count. Nobody has to be told so who could not
  // come earlier.
  const WallTime first = front->marks_.began() + seconds(1);
  std::this_thread::sleep_for(std::min<WallTime::duration>(first - engine.clock.Now(), seconds(1)));
  HALLMARK_ASSIGN_OR_RETURN(
      front->server_,
      http_front::HttpServer::Start(std::move(listener), limits, std::move(tls), front->handler_,
                                    HttpOptionsOf(config), witnesses.connections));
  return front;
}

}  // namespace hallmark::service
