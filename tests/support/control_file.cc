#include "tests/support/control_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace hallmark::testing {

std::optional<std::string> ControlFile::ReadIfChanged() {
  if (!watching()) return std::nullopt;
  MutexLock lock(mu_);
  Version now;
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0) now = {status.st_ino, status.st_size, status.st_mtim};
  if (now == seen_) return std::nullopt;
  seen_ = now;
  std::ostringstream text;
  text << std::ifstream(path_).rdbuf();
  return text.str();
}

std::string EnvironmentValue(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace hallmark::testing
