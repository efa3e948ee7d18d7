// Where exceptions end: the standard library's on exhaustion, and bugs of ours.
#pragma once

#include "keystate/result.h"

#include <exception>
#include <utility>

namespace hallmark::app {

// Calls `f`, which returns a Result, and turns what it throws into KMSInternalException.
template <class F>
auto Guarded(F&& f) -> decltype(f()) {
  try {
    return std::forward<F>(f)();
  } catch (const std::exception& thrown) {
    return Fail(Exception::kKMSInternalException, "The request could not be processed.",
                thrown.what());
  }
}

}  // namespace hallmark::app
