// A small file by which a test tells a running process what to do next.
#pragma once

#include "keystate/mutex.h"

#include <sys/types.h>

#include <ctime>
#include <optional>
#include <string>
#include <utility>

namespace hallmark::testing {

// Thread-safety: every method may be called from any thread.
class ControlFile {
 public:
  // An empty path is never read. The writer must replace the file atomically, by rename.
  explicit ControlFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  bool watching() const { return !path_.empty(); }
  // Its text, if it is another file than at the last call; a missing file is an empty one.
  std::optional<std::string> ReadIfChanged() HALLMARK_EXCLUDES(mu_);

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

// The value of an environment variable; empty if there is none.
std::string EnvironmentValue(const char* name);

}  // namespace hallmark::testing
