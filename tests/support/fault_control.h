// The control file of hallmark-fault.so; see fault_list.h for its lines.
#pragma once

#include "tests/support/control_file.h"
#include "tests/support/fault_list.h"

#include <optional>
#include <vector>

namespace hallmark::testing {

// Thread-safety: every method may be called from any thread.
class FaultControl {
 public:
  // Watches the file named by HALLMARK_FAULT_CONTROL, if there is one.
  FaultControl() : file_(EnvironmentValue("HALLMARK_FAULT_CONTROL")) {}

  bool watching() const { return file_.watching(); }
  // The faults in the file, if it is another than at the last call; a missing file holds none.
  std::optional<std::vector<Fault>> ReadIfChanged();

 private:
  ControlFile file_;
};

}  // namespace hallmark::testing
