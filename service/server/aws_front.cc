#include "service/server/aws_front.h"

#include "service/app/operations.h"
#include "service/authn/sigv4_authenticator.h"

#include <utility>

namespace hallmark::service {
namespace {

authn::SigV4Options OptionsOf(const Config& config, Log& log) {
  authn::SigV4Options options;
  options.region = config.site.region;
  options.allow_replay = config.sigv4.allow_replay;
  options.wants_mismatch = [&log] { return log.Enabled(LogLevel::kDebug); };
  options.on_mismatch = [&log](const authn::SignatureMismatch& mismatch) {
    log.Write(LogLevel::kDebug, "signature",
              {{"access_key_id", mismatch.access_key_id},
               {"canonical_request", mismatch.canonical_request},
               {"string_to_sign", mismatch.string_to_sign}});
  };
  return options;
}

http_front::Backend BackendOf(app::Engine& engine, Metrics& metrics) {
  return {.dispatch =
              [&engine](const app::CallPtr& call, const google::protobuf::Message& request,
                        google::protobuf::Message* response, app::Done done) {
                app::Dispatch(engine, call, request, response, std::move(done));
              },
          .clock = engine.clock,
          .audit = engine.audit,
          .on_finished = engine.on_finished,
          .on_unserved = [&metrics](int status) { metrics.Unserved(status); }};
}

http_front::HttpServerOptions HttpOptionsOf(const Config& config) {
  http_front::HttpServerOptions options;
  options.handshake_timeout = config.aws.handshake_timeout;
  options.request_timeout = config.aws.request_timeout;
  options.idle_timeout = config.aws.idle_timeout;
  return options;
}

}  // namespace

AwsFront::AwsFront(const Config& config, app::Engine& engine, Log& log, Metrics& metrics)
    : authenticator_(std::make_unique<authn::SigV4Authenticator>(
          OptionsOf(config, log), engine.principals, engine.sealer, engine.clock)),
      handler_(BackendOf(engine, metrics), *authenticator_, config.grpc.max_call_duration) {}

Result<std::unique_ptr<AwsFront>, std::string> AwsFront::Start(
    const Config& config, net::Listener listener, const net::ConnectionLimits& limits,
    std::shared_ptr<const http_front::ServerTls> tls, app::Engine& engine, Log& log,
    Metrics& metrics, net::ConnectionObserver& observer) {
  std::unique_ptr<AwsFront> front(new AwsFront(config, engine, log, metrics));
  HALLMARK_ASSIGN_OR_RETURN(front->server_, http_front::HttpServer::Start(
                                                std::move(listener), limits, std::move(tls),
                                                front->handler_, HttpOptionsOf(config), observer));
  return front;
}

}  // namespace hallmark::service
