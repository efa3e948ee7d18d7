// The daemon's log: one line per event, as JSON or as text.
#pragma once

#include "keystate/result.h"
#include "pkcs11/token_hsm.h"
#include "service/config/config.h"

#include <spdlog/async.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace hallmark::service {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A named value of an event. Empty texts are left out of the line.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t> value;
};

// Lines are written by a thread of the log, so that a slow disk or a full pipe holds up nobody;
// when more wait than fit, the oldest are dropped and counted.
// Thread-safety: every method may be called from any thread.
class Log {
 public:
  // Errors: DependencyTimeoutException when the file cannot be opened or made (0600).
  static Result<std::unique_ptr<Log>> Open(const Config::Log& options);
  // Writes what waits.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // One load: ask before gathering what a line would say.
  bool Enabled(LogLevel level) const;

  // `event` and the names of the fields are ours; values may hold any bytes.
  void Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

  // Lines that were dropped because too many waited.
  std::size_t dropped() const;

 private:
  Log(LogFormat format, std::shared_ptr<spdlog::details::thread_pool> pool,
      std::shared_ptr<spdlog::async_logger> logger);

  const LogFormat format_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::async_logger> logger_;
};

// Where a token reports what operators must learn. `log` outlives it.
pkcs11::EventSink TokenEvents(Log& log);

}  // namespace hallmark::service
