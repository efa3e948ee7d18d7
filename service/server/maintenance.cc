#include "service/server/maintenance.h"

#include "service/app/guard.h"
#include "service/app/usage_flush.h"

#include <chrono>

namespace hallmark::service {
namespace {

// No longer: what was noted of the keys' use may be this old when a crash loses it.
constexpr std::chrono::minutes kInterval{1};

}  // namespace

Maintenance::Maintenance(const app::DeletionSweeper::Parts& parts, const StoreImage& image,
                         Log& log, Metrics& metrics)
    : parts_(parts),
      log_(log),
      metrics_(metrics),
      sweeper_(parts, image, [this](auto event, const auto& text) { Tell(event, text); }),
      admin_{sweeper_, parts.store, parts.tokens, [this] { task_->Wake(); }} {
  task_.emplace(kInterval, [this](const std::stop_token& stop) { Work(stop); });
}

Maintenance::~Maintenance() {
  task_.reset();
  FlushLastUsage();
}

void Maintenance::Work(const std::stop_token& stop) {
  // Threads or memory may be short: that must not end the daemon, and the next turn tries again.
  const Status swept = app::Guarded([&]() -> Status {
    sweeper_.Sweep(stop);
    metrics_.SetSweeperHalted(sweeper_.state().halted);
    return {};
  });
  if (!swept.has_value()) {
    log_.Write(LogLevel::kError, "deletion", {{"text", ToString(swept.error())}});
  }
  FlushLastUsage();
}

void Maintenance::FlushLastUsage() {
  const Status flushed = app::Guarded(
      [this] { return app::FlushUsage(parts_.last_usage, parts_.keys, parts_.store); });
  if (flushed.has_value()) return;
  // It is tried again; until then only a crash would lose it.
  log_.Write(LogLevel::kWarning, "last usage", {{"text", ToString(flushed.error())}});
}

void Maintenance::Tell(app::DeletionSweeper::Event event, const std::string& text) {
  using Event = app::DeletionSweeper::Event;
  if (event == Event::kDestroyed) metrics_.KeyDestroyed();
  const LogLevel level = event == Event::kHalted    ? LogLevel::kError
                         : event == Event::kWaiting ? LogLevel::kWarning
                                                    : LogLevel::kInfo;
  log_.Write(level, "deletion", {{"text", text}});
}

}  // namespace hallmark::service
