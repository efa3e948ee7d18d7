// A file of lines that either takes a line whole or says that it did not.
#pragma once

#include "keystate/mutex.h"
#include "keystate/result.h"

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace hallmark::audit {

// The calls to the system by which a file grows; a test puts failures in between.
class FileCalls {
 public:
  virtual ~FileCalls() = default;
  virtual ssize_t Write(int fd, const void* data, std::size_t size);
  // Blocks for `size` bytes from `offset` on, without changing the file's length.
  virtual int Allocate(int fd, off_t offset, off_t size);
  virtual int Truncate(int fd, off_t size);
  virtual std::chrono::steady_clock::time_point Now();
};

// Appends lines. Room is set aside before a line is known: the blocks of the file system are, so a
// full disk is met before anything is done that must be recorded. On file systems that cannot set
// blocks aside it is met when the line is written.
//
// After a failure nothing is taken until the file takes a line again, which is tried now and then;
// that first line says how many were lost.
//
// Thread-safety: every method may be called from any thread.
class AuditFile {
 public:
  // Makes the file, for its owner alone, or goes on behind what it holds; the rest of a line that a
  // crash cut off is removed. What does not look like one is not ours, and is refused.
  //
  // Errors: one line that names the file, the reason and the remedy.
  static Result<std::unique_ptr<AuditFile>, std::string> Open(const std::filesystem::path& file,
                                                              std::shared_ptr<FileCalls> calls);
  ~AuditFile();
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // Room for a line of at most `bytes`, its end included. False: nothing can be recorded now.
  [[nodiscard]] bool Reserve(std::size_t bytes) HALLMARK_EXCLUDES(mu_);
  // Gives room back.
  void Release(std::size_t bytes) HALLMARK_EXCLUDES(mu_);
  // Appends the line, which has no end yet, into room of `reserved` bytes. False: it is not in the
  // file, and whoever waits for it must not be answered.
  [[nodiscard]] bool Append(std::string_view line, std::size_t reserved) HALLMARK_EXCLUDES(mu_);

  // A call to the system that takes longer than this hangs.
  static constexpr std::chrono::seconds kPatience{5};

  // Whether lines are taken, as far as is known. Never waits.
  bool healthy() const { return healthy_.load(std::memory_order_relaxed) && !Hangs(); }
  // Tries to get out of a failure; returns whether lines are taken. Waits for no other call.
  bool Probe() HALLMARK_EXCLUDES(mu_);

  // Goes on in a new file of the same name if somebody has moved this one away. All or nothing: the
  // new file has room for what is reserved before it is used.
  //
  // Errors: as Open.
  Result<void, std::string> Reopen() HALLMARK_EXCLUDES(mu_);

 private:
  // While it lives, the system is asked for something that may hang.
  class UnderWay;

  AuditFile(std::filesystem::path file, std::shared_ptr<FileCalls> calls, int fd, off_t size);

  bool Hangs() const;
  bool failed() const { return !healthy_.load(std::memory_order_relaxed); }
  bool AppendLocked(std::string_view line) HALLMARK_REQUIRES(mu_);
  bool AllocateFor(std::size_t bytes) HALLMARK_REQUIRES(mu_);
  bool Recover() HALLMARK_REQUIRES(mu_);
  void Fail() HALLMARK_REQUIRES(mu_);

  const std::filesystem::path file_;
  const std::shared_ptr<FileCalls> calls_;
  Mutex mu_;
  int fd_ HALLMARK_GUARDED_BY(mu_);
  off_t size_ HALLMARK_GUARDED_BY(mu_);           // of whole lines
  off_t allocated_ HALLMARK_GUARDED_BY(mu_) = 0;  // blocks are there up to this length
  std::size_t reserved_ HALLMARK_GUARDED_BY(mu_) = 0;
  std::uint64_t lost_ HALLMARK_GUARDED_BY(mu_) = 0;
  bool can_allocate_ HALLMARK_GUARDED_BY(mu_) = true;
  std::chrono::steady_clock::time_point next_try_ HALLMARK_GUARDED_BY(mu_){};
  std::atomic<bool> healthy_{true};
  // When the call to the system that is under way began, by the steady clock; 0: none is.
  std::atomic<std::chrono::steady_clock::rep> under_way_since_{0};
};

}  // namespace hallmark::audit
