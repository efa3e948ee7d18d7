// The control file of hallmark-fault.so; see fault_list.h for its lines.
#pragma once

#include "keystate/mutex.h"
#include "tests/support/fault_list.h"

#include <sys/types.h>

#include <ctime>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::testing {

// Thread-safety: every method may be called from any thread.
class FaultControl {
 public:
  // Watches the file named by HALLMARK_FAULT_CONTROL, if there is one.
  FaultControl();

  bool watching() const { return !path_.empty(); }
  // The faults in the file, if it is another than at the last call; a missing file holds none.
  std::optional<std::vector<Fault>> ReadIfChanged() HALLMARK_EXCLUDES(mu_);

 private:
  // Tells one version of the file from the next.
  struct Version {
    ino_t inode = 0;
    off_t size = 0;
    std::timespec modified{};
    bool operator==(const Version& other) const {
      return inode == other.inode && size == other.size &&
             modified.tv_sec == other.modified.tv_sec && modified.tv_nsec == other.modified.tv_nsec;
    }
  };

  const std::string path_;
  Mutex mu_;
  Version seen_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark::testing
