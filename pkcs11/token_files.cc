#include "pkcs11/token_files.h"

#include "pkcs11/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

namespace hallmark::pkcs11 {
namespace {

constexpr const char* kTokenObject = "token.object";
// It begins with a count of how often it was written, which says nothing about what is in it.
constexpr std::size_t kCountBytes = 8;

std::string Read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool HoldTheSame(std::string_view a, std::string_view b) {
  return a.size() == b.size() && a.size() > kCountBytes &&
         a.substr(kCountBytes) == b.substr(kCountBytes);
}

// Whether the file is there and empty, and nobody is about to fill it: SoftHSM locks what it
// writes.
bool WasEmptied(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  // Not a lock of the process: closing such a file would give up SoftHSM's own locks on it.
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  struct stat status {};
  const bool emptied = ::fcntl(fd, F_OFD_SETLK, &lock) == 0 && ::fstat(fd, &status) == 0 &&
                       S_ISREG(status.st_mode) && status.st_size == 0;
  static_cast<void>(::close(fd));
  return emptied;
}

}  // namespace

TokenFiles::TokenFiles(std::filesystem::path sync_path,
                       const std::filesystem::path& state_directory)
    : sync_path_(std::move(sync_path)),
      copies_((state_directory.empty() ? std::filesystem::path(".") : state_directory) /
              "token-copies") {}

Result<std::size_t, std::string> TokenFiles::Restore() const {
  std::size_t restored = 0;
  if (sync_path_.empty()) return restored;
  std::error_code none;  // no directory, no copies
  for (const auto& copy : std::filesystem::directory_iterator(copies_, none)) {
    const auto file = sync_path_ / copy.path().filename() / kTokenObject;
    const std::string content = Read(copy.path());
    if (content.empty() || !WasEmptied(file)) continue;
    const Result<void, std::string> written = WriteDurably(file, content);
    if (!written.has_value()) {
      return Unexpected(written.error() +
                        ": it was emptied by a crash in the middle of a login; copy " +
                        copy.path().string() + " there");
    }
    ++restored;
  }
  return restored;
}

Result<void, std::string> TokenFiles::Keep() const {
  if (sync_path_.empty()) return {};
  std::error_code none;  // what cannot be listed has no token.object either
  for (const auto& directory : std::filesystem::directory_iterator(sync_path_, none)) {
    const std::string content = Read(directory.path() / kTokenObject);
    const auto copy = copies_ / directory.path().filename();
    if (content.empty() || HoldTheSame(content, Read(copy))) continue;
    std::filesystem::create_directory(copies_, none);
    std::filesystem::permissions(copies_, std::filesystem::perms::owner_all, none);
    const Result<void, std::string> written = WriteDurably(copy, content);
    if (!written.has_value()) {
      return Unexpected(written.error() +
                        ", so no login is tried, which could cost the token: make room there");
    }
  }
  return {};
}

}  // namespace hallmark::pkcs11
