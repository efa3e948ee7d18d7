#include "tests/support/fault_control.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string_view>
#include <utility>

namespace hallmark::testing {
namespace {

// clang-format would make one column of them.
// clang-format off
#define HALLMARK_CODE(name) {#name, name},
constexpr std::array kCodes = std::to_array<std::pair<std::string_view, CK_RV>>({
    HALLMARK_CODE(CKR_CANCEL)
    HALLMARK_CODE(CKR_HOST_MEMORY)
    HALLMARK_CODE(CKR_SLOT_ID_INVALID)
    HALLMARK_CODE(CKR_GENERAL_ERROR)
    HALLMARK_CODE(CKR_FUNCTION_FAILED)
    HALLMARK_CODE(CKR_ARGUMENTS_BAD)
    HALLMARK_CODE(CKR_NO_EVENT)
    HALLMARK_CODE(CKR_NEED_TO_CREATE_THREADS)
    HALLMARK_CODE(CKR_CANT_LOCK)
    HALLMARK_CODE(CKR_ATTRIBUTE_READ_ONLY)
    HALLMARK_CODE(CKR_ATTRIBUTE_SENSITIVE)
    HALLMARK_CODE(CKR_ATTRIBUTE_TYPE_INVALID)
    HALLMARK_CODE(CKR_ATTRIBUTE_VALUE_INVALID)
    HALLMARK_CODE(CKR_ACTION_PROHIBITED)
    HALLMARK_CODE(CKR_DATA_INVALID)
    HALLMARK_CODE(CKR_DATA_LEN_RANGE)
    HALLMARK_CODE(CKR_DEVICE_ERROR)
    HALLMARK_CODE(CKR_DEVICE_MEMORY)
    HALLMARK_CODE(CKR_DEVICE_REMOVED)
    HALLMARK_CODE(CKR_ENCRYPTED_DATA_INVALID)
    HALLMARK_CODE(CKR_ENCRYPTED_DATA_LEN_RANGE)
    HALLMARK_CODE(CKR_FUNCTION_CANCELED)
    HALLMARK_CODE(CKR_FUNCTION_NOT_PARALLEL)
    HALLMARK_CODE(CKR_FUNCTION_NOT_SUPPORTED)
    HALLMARK_CODE(CKR_KEY_HANDLE_INVALID)
    HALLMARK_CODE(CKR_KEY_SIZE_RANGE)
    HALLMARK_CODE(CKR_KEY_TYPE_INCONSISTENT)
    HALLMARK_CODE(CKR_KEY_NOT_NEEDED)
    HALLMARK_CODE(CKR_KEY_CHANGED)
    HALLMARK_CODE(CKR_KEY_NEEDED)
    HALLMARK_CODE(CKR_KEY_INDIGESTIBLE)
    HALLMARK_CODE(CKR_KEY_FUNCTION_NOT_PERMITTED)
    HALLMARK_CODE(CKR_KEY_NOT_WRAPPABLE)
    HALLMARK_CODE(CKR_KEY_UNEXTRACTABLE)
    HALLMARK_CODE(CKR_MECHANISM_INVALID)
    HALLMARK_CODE(CKR_MECHANISM_PARAM_INVALID)
    HALLMARK_CODE(CKR_OBJECT_HANDLE_INVALID)
    HALLMARK_CODE(CKR_OPERATION_ACTIVE)
    HALLMARK_CODE(CKR_OPERATION_NOT_INITIALIZED)
    HALLMARK_CODE(CKR_PIN_INCORRECT)
    HALLMARK_CODE(CKR_PIN_INVALID)
    HALLMARK_CODE(CKR_PIN_LEN_RANGE)
    HALLMARK_CODE(CKR_PIN_EXPIRED)
    HALLMARK_CODE(CKR_PIN_LOCKED)
    HALLMARK_CODE(CKR_SESSION_CLOSED)
    HALLMARK_CODE(CKR_SESSION_COUNT)
    HALLMARK_CODE(CKR_SESSION_HANDLE_INVALID)
    HALLMARK_CODE(CKR_SESSION_PARALLEL_NOT_SUPPORTED)
    HALLMARK_CODE(CKR_SESSION_READ_ONLY)
    HALLMARK_CODE(CKR_SESSION_EXISTS)
    HALLMARK_CODE(CKR_SESSION_READ_ONLY_EXISTS)
    HALLMARK_CODE(CKR_SESSION_READ_WRITE_SO_EXISTS)
    HALLMARK_CODE(CKR_SIGNATURE_INVALID)
    HALLMARK_CODE(CKR_SIGNATURE_LEN_RANGE)
    HALLMARK_CODE(CKR_TEMPLATE_INCOMPLETE)
    HALLMARK_CODE(CKR_TEMPLATE_INCONSISTENT)
    HALLMARK_CODE(CKR_TOKEN_NOT_PRESENT)
    HALLMARK_CODE(CKR_TOKEN_NOT_RECOGNIZED)
    HALLMARK_CODE(CKR_TOKEN_WRITE_PROTECTED)
    HALLMARK_CODE(CKR_UNWRAPPING_KEY_HANDLE_INVALID)
    HALLMARK_CODE(CKR_UNWRAPPING_KEY_SIZE_RANGE)
    HALLMARK_CODE(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT)
    HALLMARK_CODE(CKR_USER_ALREADY_LOGGED_IN)
    HALLMARK_CODE(CKR_USER_NOT_LOGGED_IN)
    HALLMARK_CODE(CKR_USER_PIN_NOT_INITIALIZED)
    HALLMARK_CODE(CKR_USER_TYPE_INVALID)
    HALLMARK_CODE(CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
    HALLMARK_CODE(CKR_USER_TOO_MANY_TYPES)
    HALLMARK_CODE(CKR_WRAPPED_KEY_INVALID)
    HALLMARK_CODE(CKR_WRAPPED_KEY_LEN_RANGE)
    HALLMARK_CODE(CKR_WRAPPING_KEY_HANDLE_INVALID)
    HALLMARK_CODE(CKR_WRAPPING_KEY_SIZE_RANGE)
    HALLMARK_CODE(CKR_WRAPPING_KEY_TYPE_INCONSISTENT)
    HALLMARK_CODE(CKR_RANDOM_SEED_NOT_SUPPORTED)
    HALLMARK_CODE(CKR_RANDOM_NO_RNG)
    HALLMARK_CODE(CKR_DOMAIN_PARAMS_INVALID)
    HALLMARK_CODE(CKR_CURVE_NOT_SUPPORTED)
    HALLMARK_CODE(CKR_BUFFER_TOO_SMALL)
    HALLMARK_CODE(CKR_SAVED_STATE_INVALID)
    HALLMARK_CODE(CKR_INFORMATION_SENSITIVE)
    HALLMARK_CODE(CKR_STATE_UNSAVEABLE)
    HALLMARK_CODE(CKR_CRYPTOKI_NOT_INITIALIZED)
    HALLMARK_CODE(CKR_CRYPTOKI_ALREADY_INITIALIZED)
    HALLMARK_CODE(CKR_MUTEX_BAD)
    HALLMARK_CODE(CKR_MUTEX_NOT_LOCKED)
    HALLMARK_CODE(CKR_NEW_PIN_MODE)
    HALLMARK_CODE(CKR_NEXT_OTP)
    HALLMARK_CODE(CKR_EXCEEDED_MAX_ITERATIONS)
    HALLMARK_CODE(CKR_FIPS_SELF_TEST_FAILED)
    HALLMARK_CODE(CKR_LIBRARY_LOAD_FAILED)
    HALLMARK_CODE(CKR_PIN_TOO_WEAK)
    HALLMARK_CODE(CKR_PUBLIC_KEY_INVALID)
    HALLMARK_CODE(CKR_FUNCTION_REJECTED)
});
#undef HALLMARK_CODE
// clang-format on

// By name, or as a number in C's spelling; CKR_OK for what is neither.
CK_RV ParseCode(const std::string& text) {
  for (const auto& [name, code] : kCodes) {
    if (name == text) return code;
  }
  return std::strtoul(text.c_str(), nullptr, 0);
}

bool ParseWord(std::string_view word, Fault* fault) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const std::string value(equals == std::string_view::npos ? "" : word.substr(equals + 1));
  if (name == "hang") {
    fault->hang = true;
  } else if (name == "after") {
    fault->after = true;
  } else if (name == "serial") {
    fault->serial = true;
  } else if (name == "crash") {
    fault->crash = true;
  } else if (name == "delay_ms") {
    fault->delay = std::chrono::milliseconds(std::atol(value.c_str()));
  } else if (name == "times") {
    fault->times = std::strtoul(value.c_str(), nullptr, 10);
  } else if (name == "claim") {
    fault->claim = value;
    fault->times = 1;
  } else if (name == "skip") {
    fault->skip = std::strtoul(value.c_str(), nullptr, 10);
  } else if (name == "shorten_by") {
    fault->shorten_by = std::strtoul(value.c_str(), nullptr, 10);
  } else if (name == "rv") {
    fault->rv = ParseCode(value);
    return fault->rv != CKR_OK;
  } else {
    return false;
  }
  return true;
}

// "token LABEL removed", "sessions lost", "module broken", "slots gone".
bool ParseOutage(const std::string& line, FaultScript* script) {
  constexpr std::string_view kToken = "token ";
  constexpr std::string_view kRemoved = " removed";
  if (line == "sessions lost") {
    script->sessions_lost = true;
  } else if (line == "module broken") {
    script->module_broken = true;
  } else if (line == "slots gone") {
    script->slots_gone = true;
  } else if (line.starts_with(kToken) && line.ends_with(kRemoved) &&
             line.size() > kToken.size() + kRemoved.size()) {
    script->removed_tokens.push_back(
        line.substr(kToken.size(), line.size() - kToken.size() - kRemoved.size()));
  } else {
    return false;
  }
  return true;
}

bool ParseFault(const std::string& line, FaultScript* script) {
  std::istringstream words(line);
  Fault fault;
  fault.times = 0;
  if (!(words >> fault.function) || !fault.function.starts_with("C_")) return false;
  for (std::string word; words >> word;) {
    if (!ParseWord(word, &fault)) return false;
  }
  script->faults.push_back(fault);
  return true;
}

}  // namespace

std::optional<FaultScript> FaultControl::ReadIfChanged() {
  const std::optional<std::string> text = file_.ReadIfChanged();
  if (!text) return std::nullopt;
  FaultScript script;
  std::istringstream in(*text);
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(' ') == std::string::npos) continue;
    if (!ParseOutage(line, &script) && !ParseFault(line, &script)) {
      static_cast<void>(std::fprintf(stderr, "fault control: not understood: %s\n", line.c_str()));
    }
  }
  return script;
}

}  // namespace hallmark::testing
