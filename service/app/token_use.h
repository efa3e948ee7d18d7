// What an operation is answered that needs a token which takes no calls.
#pragma once

#include "keystate/error.h"
#include "keystate/result.h"
#include "keystate/token_set.h"

namespace hallmark::app {

// DependencyTimeoutException: it is out, or drained. What uses a key answers
// KeyUnavailableException instead.
inline Unexpected<Error> NotUsable(const TokenSet::Token& token) {
  return Fail(Exception::kDependencyTimeoutException,
              "The token that holds the keys did not do what was asked; repeat the request.",
              token.Describe());
}

}  // namespace hallmark::app
