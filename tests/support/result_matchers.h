// GoogleTest matchers for Result.
#pragma once

#include "keystate/result.h"

#include <gmock/gmock.h>

#include <string>

namespace hallmark::testing {

MATCHER(IsOk, "is a success") {
  if (arg.has_value()) return true;
  *result_listener << ToString(arg.error());
  return false;
}

// Fails with this exception, whatever its text.
MATCHER_P(Raises, exception, std::string("raises ") + std::string(Describe(exception).name)) {
  if (arg.has_value()) {
    *result_listener << "which is a success";
    return false;
  }
  *result_listener << ToString(arg.error());
  return arg.error().exception == exception;
}

// Fails with exactly this exception and text.
MATCHER_P2(RaisesWith, exception, message,
           std::string("raises ") + std::string(Describe(exception).name) + ": " + message) {
  if (arg.has_value()) {
    *result_listener << "which is a success";
    return false;
  }
  *result_listener << ToString(arg.error());
  return arg.error().exception == exception && arg.error().message == message;
}

}  // namespace hallmark::testing
