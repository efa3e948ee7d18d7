// The daemon's log: one line per event, as JSON or as text.
#pragma once

#include "keystate/result.h"
#include "pkcs11/token_hsm.h"
#include "service/config/config.h"

#include <spdlog/async.h>
#include <spdlog/sinks/dist_sink.h>

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

  void SetLevel(const std::string& level);

  // Where lines go: a file that is open, or standard error.
  using Sink = spdlog::sink_ptr;
  // Errors: as for Open.
  static Result<Sink> OpenSink(const Config::Log& options);
  // From now on, lines that wait included. What was written to before is closed.
  void WriteTo(Sink sink);

  // Lines that were dropped because too many waited.
  std::size_t dropped() const;

 private:
  explicit Log(LogFormat format);

  const LogFormat format_;
  // Holds the one sink of the moment, since a logger's own cannot be replaced while it is in use.
  const std::shared_ptr<spdlog::sinks::dist_sink_mt> sink_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  const std::shared_ptr<spdlog::async_logger> logger_;
};

// Where a token reports what operators must learn. `log` outlives it.
pkcs11::EventSink TokenEvents(Log& log);

}  // namespace hallmark::service
