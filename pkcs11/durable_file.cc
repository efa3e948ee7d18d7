#include "pkcs11/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace hallmark::pkcs11 {
namespace {

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool SyncDirectory(const std::filesystem::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  static_cast<void>(::close(fd));
  return synced;
}

}  // namespace

Result<void, std::string> WriteDurably(const std::filesystem::path& file, std::string_view text) {
  const std::filesystem::path draft = file.string() + ".new";
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool written = fd >= 0 && WriteAll(fd, text) && ::fsync(fd) == 0;
  int reason = errno;
  if (fd >= 0) static_cast<void>(::close(fd));
  if (written) {
    written = ::rename(draft.c_str(), file.c_str()) == 0 && SyncDirectory(file.parent_path());
    reason = errno;
  }
  if (!written) {
    return Unexpected("the file " + file.string() + " cannot be written (" + std::strerror(reason) +
                      ")");
  }
  return {};
}

}  // namespace hallmark::pkcs11
