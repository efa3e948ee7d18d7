// A line per request.
#pragma once

#include "keystate/clock.h"
#include "keystate/error.h"
#include "keystate/mutex.h"
#include "service/app/audit.h"
#include "service/app/call_context.h"
#include "service/log/log.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hallmark::service {

inline constexpr std::size_t kExceptionCount = 0
#define HALLMARK_EXCEPTION(name, fault, retry, meaning) +1
#include "keystate/exceptions.def"
#undef HALLMARK_EXCEPTION
    ;

// Who asked for what, on which key, with which outcome; never messages, MACs or other contents.
// MACs made and reads are `debug`, changes and refusals `info`, failures of the service `warning`.
// One exception fills at most kLinesPerSecond lines a second; how many were left out follows with
// the next line of that exception, and at the end.
// Thread-safety: every method may be called from any thread.
class RequestLog {
 public:
  static constexpr std::uint64_t kLinesPerSecond = 100;

  // Both outlive it.
  RequestLog(Log& log, Clock& clock);
  ~RequestLog();
  RequestLog(const RequestLog&) = delete;
  RequestLog& operator=(const RequestLog&) = delete;

  // Does not block.
  void Finished(const app::CallContext& call, const Status& status);
  // The same of a request that became no call.
  void Refused(app::Protocol protocol, const app::AuditEvent& event, const Error& refusal);

 private:
  struct Line {
    app::Protocol protocol;
    std::string_view request_id;
    const Principal* caller;  // null: not known
    std::string_view operation;
    std::string_view key;
    SteadyTime started;
    std::string_view peer;
  };

  // A token bucket: a second's worth of lines at most.
  struct Budget {
    Mutex mu;
    SteadyTime refilled HALLMARK_GUARDED_BY(mu){};
    std::uint64_t lines HALLMARK_GUARDED_BY(mu) = kLinesPerSecond;
    std::int64_t suppressed HALLMARK_GUARDED_BY(mu) = 0;
  };
  struct Permit {
    bool granted = false;
    std::int64_t suppressed_before = 0;
  };

  // `refusal` null: it was served.
  void Write(LogLevel level, const Line& line, const Error* refusal);
  Permit TakeLine(Exception exception, SteadyTime now);
  void WriteSuppressed(LogLevel level, Exception exception, std::int64_t count);

  Log& log_;
  Clock& clock_;
  std::array<Budget, kExceptionCount> budgets_;
};

}  // namespace hallmark::service
