// Why the daemon cannot start, and with what it ends then.
#pragma once

#include "keystate/error.h"
#include "keystate/result.h"
#include "pkcs11/options.h"

#include <string>

namespace hallmark::service {

struct StartError {
  int exit_code;        // of sysexits.h
  std::string message;  // one line: the thing, the reason and the remedy
};

Unexpected<StartError> CannotStart(int exit_code, std::string message);
Unexpected<StartError> StoreFailed(const Error& error);
Unexpected<StartError> TokenFailed(pkcs11::OpenError error);

}  // namespace hallmark::service
