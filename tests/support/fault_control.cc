#include "tests/support/fault_control.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string_view>
#include <utility>

namespace hallmark::testing {
namespace {

constexpr std::array<std::pair<std::string_view, CK_RV>, 14> kCodes{{
    {"CKR_CRYPTOKI_NOT_INITIALIZED", CKR_CRYPTOKI_NOT_INITIALIZED},
    {"CKR_DATA_LEN_RANGE", CKR_DATA_LEN_RANGE},
    {"CKR_DEVICE_ERROR", CKR_DEVICE_ERROR},
    {"CKR_DEVICE_MEMORY", CKR_DEVICE_MEMORY},
    {"CKR_DEVICE_REMOVED", CKR_DEVICE_REMOVED},
    {"CKR_FUNCTION_FAILED", CKR_FUNCTION_FAILED},
    {"CKR_GENERAL_ERROR", CKR_GENERAL_ERROR},
    {"CKR_KEY_HANDLE_INVALID", CKR_KEY_HANDLE_INVALID},
    {"CKR_OBJECT_HANDLE_INVALID", CKR_OBJECT_HANDLE_INVALID},
    {"CKR_OPERATION_ACTIVE", CKR_OPERATION_ACTIVE},
    {"CKR_SESSION_COUNT", CKR_SESSION_COUNT},
    {"CKR_SESSION_HANDLE_INVALID", CKR_SESSION_HANDLE_INVALID},
    {"CKR_TOKEN_NOT_PRESENT", CKR_TOKEN_NOT_PRESENT},
    {"CKR_USER_NOT_LOGGED_IN", CKR_USER_NOT_LOGGED_IN},
}};

bool ParseWord(std::string_view word, Fault* fault) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const std::string value(equals == std::string_view::npos ? "" : word.substr(equals + 1));
  if (name == "hang") {
    fault->hang = true;
  } else if (name == "after") {
    fault->after = true;
  } else if (name == "delay_ms") {
    fault->delay = std::chrono::milliseconds(std::atol(value.c_str()));
  } else if (name == "times") {
    fault->times = std::strtoul(value.c_str(), nullptr, 10);
  } else if (name == "skip") {
    fault->skip = std::strtoul(value.c_str(), nullptr, 10);
  } else if (name == "shorten_by") {
    fault->shorten_by = std::strtoul(value.c_str(), nullptr, 10);
  } else if (name == "rv") {
    for (const auto& [code_name, code] : kCodes) {
      if (code_name == value) fault->rv = code;
    }
    return fault->rv != CKR_OK;
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<std::vector<Fault>> FaultControl::ReadIfChanged() {
  const std::optional<std::string> text = file_.ReadIfChanged();
  if (!text) return std::nullopt;
  std::vector<Fault> faults;
  std::istringstream in(*text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    Fault fault;
    fault.times = 0;
    if (!(words >> fault.function)) continue;
    bool good = true;
    for (std::string word; words >> word;) good = ParseWord(word, &fault) && good;
    if (good) {
      faults.push_back(fault);
    } else {
      static_cast<void>(std::fprintf(stderr, "fault control: not understood: %s\n", line.c_str()));
    }
  }
  return faults;
}

}  // namespace hallmark::testing
