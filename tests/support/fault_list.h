// A PKCS#11 module around another, whose calls can be made to fail, to be slow or to hang.
#pragma once

#include "pkcs11/cryptoki.h"
#include "tests/support/fault_outage.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace hallmark::testing {

// What happens to some calls of one function.
struct Fault {
  std::string function;  // "C_Sign"
  // Returned in place of the real call; CKR_OK: the real call is made.
  CK_RV rv = CKR_OK;
  // Calls that pass unharmed before the fault strikes.
  std::size_t skip = 0;
  // How many calls it strikes; 0: all.
  std::size_t times = 1;
  // Strikes once among all processes, in the one that makes this file; empty: each for itself.
  std::filesystem::path claim{};
  std::chrono::milliseconds delay{0};
  // One call at a time goes through the function, delay and all.
  bool serial = false;
  // Waits until Disarm.
  bool hang = false;
  // Delay, hang and `rv` come after the real call was made, not before it.
  bool after = false;
  // C_GenerateKey alone: this boolean attribute is turned round on the way to the token.
  std::optional<CK_ATTRIBUTE_TYPE> flip{};
  // C_Sign alone: the tag loses this many bytes.
  std::size_t shorten_by = 0;
  // The process ends in the call, as a driver that crashes ends it.
  bool crash = false;
};

// One list per process. The same file builds as a module, hallmark-fault.so, which wraps the module
// named by HALLMARK_FAULT_MODULE and takes its faults from the file named by HALLMARK_FAULT_CONTROL
// as well: one fault per line, read again whenever the file changes, replaced atomically by rename:
//
//   C_Sign delay_ms=2000
//   C_Sign rv=CKR_DEVICE_ERROR times=1 skip=2
//   C_GenerateKey hang after
//   token LABEL removed
//
// fault_module.md tells every line. In the file `times` defaults to all calls; a line without
// effect is an error on standard error. Thread-safety: every method may be called from any thread.
class FaultList {
 public:
  // A copy of `real` with every function that can fail replaced. The last wrapped list is the real
  // one.
  static CK_FUNCTION_LIST* Wrap(CK_FUNCTION_LIST* real);

  // Faults are tried in the order in which they were armed; the first that strikes is the only one.
  static void Arm(const Fault& fault);
  // Removes every fault that was armed here and lets hanging calls go on.
  static void Disarm();

  // See fault_outage.h. Disarm ends none of them.
  static FaultOutage& Outage();

  // Calls since the process began, or since ResetCalls.
  static std::size_t Calls(const std::string& function);
  static void ResetCalls();
  // Waits until that many calls are hanging; false if that takes too long.
  static bool WaitForHanging(std::size_t calls, std::chrono::milliseconds at_most);
};

}  // namespace hallmark::testing
