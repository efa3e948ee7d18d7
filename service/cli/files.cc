#include "service/cli/files.h"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace hallmark::cli {

Result<std::string, std::string> ReadWholeFile(const std::filesystem::path& path) {
  // A folder opens like a file and then reads as nothing.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return Unexpected("cannot read '" + path.string() + "': it is a folder");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unexpected(FileTrouble("read", path));
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return Unexpected(FileTrouble("read", path));
  return content;
}

std::string FileTrouble(const std::string& what, const std::filesystem::path& path) {
  return "cannot " + what + " '" + path.string() +
         "': " + std::error_code(errno, std::generic_category()).message();
}

}  // namespace hallmark::cli
