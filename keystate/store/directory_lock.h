// The folder of a store, held by one process at a time.
#pragma once

#include "keystate/result.h"

#include <filesystem>
#include <utility>

namespace hallmark::store {

// An open file descriptor; closes on destruction.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// By flock on a file that is never removed: removing it would let two processes lock two files of
// one name. The kernel releases the lock with its holder, however that dies.
class DirectoryLock {
 public:
  // Makes the folder if it is missing (not its parents) and closes it to group and others.
  //
  // Errors: ConflictException that names the process that holds the lock;
  // DependencyTimeoutException
  //   when the folder cannot be made, opened or locked.
  static Result<DirectoryLock> Acquire(const std::filesystem::path& directory);

  // Makes changes of names in the folder durable.
  Status Sync() const;

 private:
  DirectoryLock(FileDescriptor directory, FileDescriptor lock)
      : directory_(std::move(directory)), lock_(std::move(lock)) {}

  FileDescriptor directory_;
  FileDescriptor lock_;  // the lock lasts as long as this is open
};

// Makes an empty file that only its owner may read, whatever the umask.
Status MakePrivateFile(const std::filesystem::path& file);

// "cannot <doing> <path>: <errno text>", as DependencyTimeoutException.
Unexpected<Error> FileFailure(const char* doing, const std::filesystem::path& path);

}  // namespace hallmark::store
