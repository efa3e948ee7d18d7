// The one error type of the service.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark {

// Every exception a caller can see; the rows are in exceptions.def.
enum class Exception {
#define HALLMARK_EXCEPTION(name, fault, retry, meaning) k##name,
#include "keystate/exceptions.def"
#undef HALLMARK_EXCEPTION
};

enum class Fault { kCaller, kService };
enum class Retry { kNever, kBackoff };

struct ExceptionTraits {
  std::string_view name;  // as on the wire: "DisabledException"
  Fault fault;
  Retry retry;
  std::string_view meaning;  // what it means to the caller and what to do, for people
};

const ExceptionTraits& Describe(Exception exception);

// A refusal or failure. `message` is for the caller, `detail` for the log: return codes of the
// token, SQL and paths belong to the detail. PINs, key bytes and message bytes belong to neither.
struct Error {
  Exception exception;
  std::string message;
  std::string detail{};
  // When a repeat may succeed; only with ThrottlingException.
  std::optional<std::chrono::milliseconds> retry_after{};
};

// The refusal of a call that cannot be served now; the caller may repeat it after `retry_after`.
Error Throttled(std::chrono::milliseconds retry_after, std::string detail);

// The refusal of a MAC because the key's token does not serve it.
Error KeyUnavailable(std::string detail);

// "DisabledException: <message> (<detail>)", for logs and test failures.
std::string ToString(const Error& error);

}  // namespace hallmark
