#include "service/server/start_error.h"

#include <sysexits.h>

#include <utility>

namespace hallmark::service {
namespace {

int ExitCodeOfStore(Exception exception) {
  if (exception == Exception::kConflictException) return EX_TEMPFAIL;  // another daemon holds it
  if (exception == Exception::kUnsupportedOperationException) return EX_CONFIG;  // a newer schema
  if (exception == Exception::kValidationException) return EX_CONFIG;  // of another Region
  return EX_IOERR;
}

int ExitCodeOf(pkcs11::OpenFailure failure) {
  switch (failure) {
    case pkcs11::OpenFailure::kConfiguration:
      return EX_CONFIG;
    case pkcs11::OpenFailure::kTokenAbsent:
      return EX_UNAVAILABLE;
    case pkcs11::OpenFailure::kPinRefused:
      return EX_NOPERM;
    case pkcs11::OpenFailure::kTokenError:
      return EX_SOFTWARE;
  }
  return EX_SOFTWARE;
}

}  // namespace

Unexpected<StartError> CannotStart(int exit_code, std::string message) {
  return Unexpected(StartError{exit_code, std::move(message)});
}

Unexpected<StartError> StoreFailed(const Error& error) {
  std::string message = error.message;
  if (!error.detail.empty()) message += " (" + error.detail + ")";
  return CannotStart(ExitCodeOfStore(error.exception), std::move(message));
}

Unexpected<StartError> TokenFailed(pkcs11::OpenError error) {
  return CannotStart(ExitCodeOf(error.failure), std::move(error.message));
}

}  // namespace hallmark::service
