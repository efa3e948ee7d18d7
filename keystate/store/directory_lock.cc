#include "keystate/store/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace hallmark::store {
namespace {

constexpr mode_t kOwnerOnlyDirectory = 0700;
constexpr mode_t kOwnerOnlyFile = 0600;

// What the holder wrote into the lock file: decimal digits; "unknown" in the moment before it has.
std::string ReadHolder(int fd) {
  std::array<char, 16> text{};
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  std::string pid;
  for (ssize_t i = 0; i < size; ++i) {
    const char c = text[static_cast<std::size_t>(i)];
    if (c < '0' || c > '9') break;
    pid.push_back(c);
  }
  return pid.empty() ? "unknown" : pid;
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

Unexpected<Error> FileFailure(const char* doing, const std::filesystem::path& path) {
  return Fail(Exception::kDependencyTimeoutException,
              std::string("Cannot ") + doing + " " + path.string() + ": " +
                  std::generic_category().message(errno) + ".");
}

Result<DirectoryLock> DirectoryLock::Acquire(const std::filesystem::path& directory) {
  const bool made = mkdir(directory.c_str(), kOwnerOnlyDirectory) == 0;
  if (!made && errno != EEXIST) return FileFailure("make the store directory", directory);
  FileDescriptor folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return FileFailure("open the store directory", directory);
  if (fchmod(folder.get(), kOwnerOnlyDirectory) != 0) {
    return FileFailure("close to other users the store directory", directory);
  }
  if (made) {
    const FileDescriptor parent(openat(folder.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent.valid() || fsync(parent.get()) != 0)
      return FileFailure("sync the parent of", directory);
  }

  const std::filesystem::path file = directory / "lock";
  FileDescriptor lock(
      openat(folder.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOwnerOnlyFile));
  if (!lock.valid()) return FileFailure("open", file);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return FileFailure("lock", file);
    return Fail(Exception::kConflictException,
                "The store " + directory.string() + " is in use by process " +
                    ReadHolder(lock.get()) +
                    "; stop that process, or use another store directory.");
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (fchmod(lock.get(), kOwnerOnlyFile) != 0 || ftruncate(lock.get(), 0) != 0 ||
      pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return FileFailure("write", file);
  }
  return DirectoryLock(std::move(folder), std::move(lock));
}

Status DirectoryLock::Sync() const {
  if (fsync(directory_.get()) != 0) {
    return Fail(Exception::kDependencyTimeoutException, "Cannot sync the store directory.",
                std::generic_category().message(errno));
  }
  return {};
}

Status MakePrivateFile(const std::filesystem::path& file) {
  const FileDescriptor made(
      open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kOwnerOnlyFile));
  if (!made.valid() || fchmod(made.get(), kOwnerOnlyFile) != 0) return FileFailure("make", file);
  return {};
}

}  // namespace hallmark::store
