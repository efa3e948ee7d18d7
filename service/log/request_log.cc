#include "service/log/request_log.h"

#include "service/app/audit.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace hallmark::service {
namespace {

LogLevel LevelOf(const app::CallContext& call, const Status& status) {
  if (status.has_value())
    return app::OnlyReads(call.operation) ? LogLevel::kDebug : LogLevel::kInfo;
  return Describe(status.error().exception).fault == Fault::kService ? LogLevel::kWarning
                                                                     : LogLevel::kInfo;
}

LogLevel LevelOf(Exception exception) {
  return Describe(exception).fault == Fault::kService ? LogLevel::kWarning : LogLevel::kInfo;
}

}  // namespace

RequestLog::RequestLog(Log& log, Clock& clock) : log_(log), clock_(clock) {}

RequestLog::~RequestLog() {
  for (std::size_t i = 0; i < budgets_.size(); ++i) {
    const auto exception = static_cast<Exception>(i);
    std::int64_t count = 0;
    {
      MutexLock lock(budgets_[i].mu);
      count = std::exchange(budgets_[i].suppressed, 0);
    }
    if (count > 0) WriteSuppressed(LevelOf(exception), exception, count);
  }
}

void RequestLog::Finished(const app::CallContext& call, const Status& status) {
  const LogLevel level = LevelOf(call, status);
  if (!log_.Enabled(level)) return;
  const SteadyTime now = clock_.SteadyNow();
  std::string_view outcome = "OK";
  std::string_view detail;
  if (!status.has_value()) {
    const Exception exception = status.error().exception;
    const Permit permit = TakeLine(exception, now);
    if (!permit.granted) return;
    if (permit.suppressed_before > 0) WriteSuppressed(level, exception, permit.suppressed_before);
    outcome = Describe(exception).name;
    detail = status.error().detail;
  }
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(now - call.started);
  log_.Write(level, "request",
             {{"request_id", std::string_view(call.request_id)},
              {"protocol", app::Name(call.protocol)},
              {"principal",
               call.caller ? std::string_view(call.caller->record.arn.text()) : std::string_view()},
              {"operation", Name(call.operation)},
              {"key", std::string_view(call.key_arn)},
              {"outcome", outcome},
              {"duration_us", std::int64_t{duration.count()}},
              {"peer", std::string_view(call.peer)},
              {"detail", detail}});
}

RequestLog::Permit RequestLog::TakeLine(Exception exception, SteadyTime now) {
  constexpr std::chrono::steady_clock::duration kPerLine =
      std::chrono::steady_clock::duration(std::chrono::seconds(1)) / kLinesPerSecond;
  Budget& budget = budgets_[static_cast<std::size_t>(exception)];
  MutexLock lock(budget.mu);
  // Threads may arrive in another order than they read the clock.
  if (now > budget.refilled) {
    const auto earned = static_cast<std::uint64_t>((now - budget.refilled) / kPerLine);
    if (earned >= kLinesPerSecond - budget.lines) {
      budget.lines = kLinesPerSecond;
      budget.refilled = now;
    } else {
      budget.lines += earned;
      budget.refilled += kPerLine * earned;
    }
  }
  if (budget.lines == 0) {
    ++budget.suppressed;
    return {};
  }
  --budget.lines;
  return {.granted = true, .suppressed_before = std::exchange(budget.suppressed, 0)};
}

void RequestLog::WriteSuppressed(LogLevel level, Exception exception, std::int64_t count) {
  log_.Write(level, "suppressed", {{"outcome", Describe(exception).name}, {"lines", count}});
}

}  // namespace hallmark::service
