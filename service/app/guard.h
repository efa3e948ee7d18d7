// Where exceptions end: the standard library's on exhaustion, and bugs of ours.
#pragma once

#include "keystate/result.h"

#include <exception>
#include <utility>

namespace hallmark::app {

// What the caller is told when an exception reached a front: a bug of ours, or no memory. Called
// inside a catch block; the exception's own text is for the log.
inline Status UnexpectedFailure() noexcept try {
  constexpr auto kMessage = "The request failed because of an internal error. Try again.";
  try {
    throw;
  } catch (const std::exception& bug) {
    return Fail(Exception::kKMSInternalException, kMessage, bug.what());
  } catch (...) {
    return Fail(Exception::kKMSInternalException, kMessage, "an exception of unknown type");
  }
} catch (...) {  // no memory for the texts
  return Fail(Exception::kKMSInternalException);
}

// Calls `f`, which returns a Result, and turns what it throws into KMSInternalException.
template <class F>
auto Guarded(F&& f) noexcept -> decltype(f()) {
  try {
    return std::forward<F>(f)();
  } catch (...) {
    return Unexpected(UnexpectedFailure().error());
  }
}

}  // namespace hallmark::app
