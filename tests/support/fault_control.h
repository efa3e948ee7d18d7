// The control file of hallmark-fault.so; see fault_list.h for its lines.
#pragma once

#include "tests/support/control_file.h"
#include "tests/support/fault_list.h"

#include <optional>
#include <string>
#include <vector>

namespace hallmark::testing {

// What a control file says.
struct FaultScript {
  std::vector<Fault> faults;
  std::vector<std::string> removed_tokens;  // labels
  bool sessions_lost = false;
  bool module_broken = false;
  bool slots_gone = false;
};

// Thread-safety: every method may be called from any thread.
class FaultControl {
 public:
  // Watches the file named by HALLMARK_FAULT_CONTROL, if there is one.
  FaultControl() : file_(EnvironmentValue("HALLMARK_FAULT_CONTROL")) {}

  bool watching() const { return file_.watching(); }
  // What the file says, if it is another than at the last call; a missing file says nothing.
  std::optional<FaultScript> ReadIfChanged();

 private:
  ControlFile file_;
};

}  // namespace hallmark::testing
