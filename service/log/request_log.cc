#include "service/log/request_log.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace hallmark::service {
namespace {

LogLevel LevelOf(Exception exception) {
  return Describe(exception).fault == Fault::kService ? LogLevel::kWarning : LogLevel::kInfo;
}

LogLevel LevelOf(const app::CallContext& call, const Status& status) {
  if (status.has_value())
    return app::OnlyReads(call.operation) ? LogLevel::kDebug : LogLevel::kInfo;
  return LevelOf(status.error().exception);
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
  Write(LevelOf(call, status),
        {.protocol = call.protocol,
         .request_id = call.request_id,
         .caller = call.caller.get(),
         .operation = Name(call.operation),
         .key = call.key_arn,
         .started = call.started,
         .peer = call.peer},
        status.has_value() ? nullptr : &status.error());
}

void RequestLog::Refused(app::Protocol protocol, const app::AuditEvent& event,
                         const Error& refusal) {
  Write(LevelOf(refusal.exception),
        {.protocol = protocol,
         .request_id = event.request_id,
         .caller = event.caller,
         .operation = event.name,
         .key = event.key_arn,
         .started = event.started,
         .peer = event.peer},
        &refusal);
}

void RequestLog::Write(LogLevel level, const Line& line, const Error* refusal) {
  if (!log_.Enabled(level)) return;
  const SteadyTime now = clock_.SteadyNow();
  std::string_view outcome = "OK";
  std::string_view detail;
  if (refusal != nullptr) {
    const Permit permit = TakeLine(refusal->exception, now);
    if (!permit.granted) return;
    if (permit.suppressed_before > 0) {
      WriteSuppressed(level, refusal->exception, permit.suppressed_before);
    }
    outcome = Describe(refusal->exception).name;
    detail = refusal->detail;
  }
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(now - line.started);
  log_.Write(
      level, "request",
      {{"request_id", line.request_id},
       {"protocol", app::Name(line.protocol)},
       {"principal", line.caller == nullptr ? std::string_view()
                                            : std::string_view(line.caller->record.arn.text())},
       {"operation", line.operation},
       {"key", line.key},
       {"outcome", outcome},
       {"duration_us", std::int64_t{duration.count()}},
       {"peer", line.peer},
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
