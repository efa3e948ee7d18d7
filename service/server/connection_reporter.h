// What the connections of one front do, for log and metrics.
#pragma once

#include "service/app/call_context.h"
#include "service/log/log.h"
#include "service/metrics/metrics.h"
#include "service/net/connection_acceptor.h"

#include <string>

namespace hallmark::service {

class ConnectionReporter final : public net::ConnectionObserver {
 public:
  // `log` and `metrics` outlive the reporter.
  ConnectionReporter(app::Protocol protocol, Log& log, Metrics& metrics)
      : protocol_(protocol), log_(log), metrics_(metrics) {}

  void Opened() override { metrics_.ConnectionOpened(protocol_); }
  void Closed() override { metrics_.ConnectionClosed(protocol_); }
  void Refused() override { metrics_.ConnectionRefused(protocol_); }
  void Warning(const std::string& text) override {
    log_.Write(LogLevel::kWarning, "connections",
               {{"protocol", app::Name(protocol_)}, {"text", text}});
  }

 private:
  const app::Protocol protocol_;
  Log& log_;
  Metrics& metrics_;
};

}  // namespace hallmark::service
