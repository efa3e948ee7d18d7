// CK_RV: what it is called, what it means for us, and what a caller is told. The only such mapping.
#pragma once

#include "keystate/error.h"
#include "keystate/result.h"
#include "pkcs11/cryptoki.h"

#include <string>
#include <string_view>

namespace hallmark::pkcs11 {

// What must happen after a return code; see "The ladder" in README.md.
enum class CkClass {
  kOk,
  kData,         // the input or the key does not fit; session and token are good
  kUnsupported,  // the token cannot do this at all
  kSession,      // this session is lost or in an unknown state
  kLogin,        // nobody is logged in
  kHandle,       // the object is not where it was
  kPin,          // the token refuses the PIN
  kBusy,         // no session is free
  kDevice,       // the token is out, or we misuse it
};

// A call to the token that failed. `function` has static storage.
struct CkFault {
  CK_RV rv;
  const char* function;
};

template <class T>
using CkResult = Result<T, CkFault>;
using CkStatus = Result<void, CkFault>;

// "CKR_DEVICE_ERROR", or "CKR 0x80000001" for a code that the standard does not name.
std::string CkrName(CK_RV rv);
// "C_Sign: CKR_DEVICE_ERROR"
std::string ToString(const CkFault& fault);

// Unknown codes, vendor codes and signs of our own misuse count as kDevice: to stop and look at the
// token again is the safe answer to what is not understood.
CkClass Classify(CK_RV rv);

inline CkStatus Check(CK_RV rv, const char* function) {
  if (rv == CKR_OK) return {};
  return Unexpected(CkFault{rv, function});
}

// For operations that change or look at keys: DependencyTimeoutException, or
// UnsupportedOperationException for kUnsupported.
Error ControlError(const CkFault& fault, std::string_view token_id);
// For MACs: KeyUnavailableException, or UnsupportedOperationException for kUnsupported.
Error MacError(const CkFault& fault, std::string_view token_id);

// The refusals above for reasons that are not return codes.
Error ControlError(std::string_view reason, std::string_view token_id);
Error MacError(std::string_view reason, std::string_view token_id);

}  // namespace hallmark::pkcs11
