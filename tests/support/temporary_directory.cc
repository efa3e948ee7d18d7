#include "tests/support/temporary_directory.h"

#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <system_error>

namespace hallmark::testing {

namespace fs = std::filesystem;

TemporaryDirectory::TemporaryDirectory() {
  // Short, because the path of a Unix socket inside it is limited to 107 bytes.
  std::string pattern = fs::temp_directory_path() / "hallmark-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    std::perror(pattern.c_str());
    std::abort();
  }
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TemporaryDirectory::Write(const std::string& name, const std::string& text) const {
  const fs::path file = path_ / name;
  std::ofstream(file, std::ios::binary) << text;
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  return file.string();
}

}  // namespace hallmark::testing
