#include "service/log/log.h"

#include "service/log/escape.h"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <type_traits>
#include <utility>

namespace hallmark::service {
namespace {

constexpr std::size_t kMaxWaitingLines = 8192;

// The payload (%v) is made by Log::Write and nobody else, so it fits between these.
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";
constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  std::abort();
}

// Made before spdlog opens it, so that no umask lets others read it.
Status MakePrivate(const std::filesystem::path& file) {
  const auto refuse = [&](const std::string& reason) {
    return Fail(
        Exception::kDependencyTimeoutException,
        "Cannot open the log file " + file.string() + ": " + reason + "; correct log.file.");
  };
  // A pipe that nobody reads would hold up the open otherwise.
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
  if (fd < 0 && errno != ENXIO) return refuse(std::generic_category().message(errno));
  struct stat status {};
  const bool is_pipe = fd < 0 || fstat(fd, &status) != 0 || S_ISFIFO(status.st_mode);
  if (fd >= 0) close(fd);
  if (is_pipe) {
    return refuse(
        "it is a pipe, whose reader could hold up the service; without log.file the log "
        "goes to stderr");
  }
  return {};
}

void AppendJsonFields(std::string_view event, std::initializer_list<LogField> fields,
                      std::string& line) {
  line += "\"event\":";
  AppendJson(event, line);
  for (const LogField& field : fields) {
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (text != nullptr && text->empty()) continue;
    line += ',';
    AppendJson(field.name, line);
    line += ':';
    if (text != nullptr) {
      AppendJson(*text, line);
    } else {
      line += std::to_string(std::get<std::int64_t>(field.value));
    }
  }
}

void AppendTextFields(std::string_view event, std::initializer_list<LogField> fields,
                      std::string& line) {
  AppendPlain(event, line);
  for (const LogField& field : fields) {
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (text != nullptr && text->empty()) continue;
    line.append(" ").append(field.name).append("=");
    if (text != nullptr) {
      AppendPlain(*text, line);
    } else {
      line += std::to_string(std::get<std::int64_t>(field.value));
    }
  }
}

}  // namespace

Log::Log(LogFormat format)
    : format_(format),
      sink_(std::make_shared<spdlog::sinks::dist_sink_mt>()),
      pool_(std::make_shared<spdlog::details::thread_pool>(kMaxWaitingLines, 1)),
      logger_(std::make_shared<spdlog::async_logger>(
          "hallmark", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest)) {
  logger_->flush_on(spdlog::level::info);
}

Result<std::unique_ptr<Log>> Log::Open(const Config::Log& options) {
  HALLMARK_ASSIGN_OR_RETURN(Sink sink, OpenSink(options));
  std::unique_ptr<Log> log(new Log(options.format));
  log->SetLevel(options.level);
  log->WriteTo(std::move(sink));
  return log;
}

Result<Log::Sink> Log::OpenSink(const Config::Log& options) {
  if (options.file.empty()) return Sink(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  HALLMARK_RETURN_IF_ERROR(MakePrivate(options.file));
  try {
    return Sink(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file.string()));
  } catch (const spdlog::spdlog_ex& failure) {
    return Fail(Exception::kDependencyTimeoutException,
                "Cannot open the log file " + options.file.string() + "; correct log.file.",
                failure.what());
  }
}

void Log::WriteTo(Sink sink) {
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      format_ == LogFormat::kJson ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc));
  sink_->set_sinks({std::move(sink)});
}

void Log::SetLevel(const std::string& level) { logger_->set_level(spdlog::level::from_str(level)); }

Log::~Log() {
  logger_->flush();
  // The pool's end waits for its thread, which first writes everything that waits.
  pool_.reset();
}

bool Log::Enabled(LogLevel level) const { return logger_->should_log(ToSpdlog(level)); }

void Log::Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!Enabled(level)) return;
  std::string line;
  line.reserve(256);
  if (format_ == LogFormat::kJson) {
    AppendJsonFields(event, fields, line);
  } else {
    AppendTextFields(event, fields, line);
  }
  logger_->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

std::size_t Log::dropped() const { return pool_->overrun_counter(); }

pkcs11::EventSink TokenEvents(Log& log) {
  return [&log](pkcs11::Severity severity, const std::string& text) {
    switch (severity) {
      case pkcs11::Severity::kInfo:
        return log.Write(LogLevel::kInfo, "token", {{"text", std::string_view(text)}});
      case pkcs11::Severity::kWarning:
        return log.Write(LogLevel::kWarning, "token", {{"text", std::string_view(text)}});
      case pkcs11::Severity::kAlarm:
        return log.Write(LogLevel::kError, "token", {{"text", std::string_view(text)}});
    }
  };
}

}  // namespace hallmark::service
