// std::mutex with clang's thread-safety annotations; the `clang` preset enforces them.
// Not absl::Mutex: Debian's is uninstrumented, so ThreadSanitizer would report what is not there.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define HALLMARK_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define HALLMARK_THREAD_ANNOTATION(x)
#endif

#define HALLMARK_GUARDED_BY(x) HALLMARK_THREAD_ANNOTATION(guarded_by(x))
#define HALLMARK_REQUIRES(...) HALLMARK_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define HALLMARK_EXCLUDES(...) HALLMARK_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace hallmark {

class HALLMARK_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() HALLMARK_THREAD_ANNOTATION(acquire_capability()) { mu_.lock(); }
  bool try_lock() HALLMARK_THREAD_ANNOTATION(try_acquire_capability(true)) {
    return mu_.try_lock();
  }
  void unlock() HALLMARK_THREAD_ANNOTATION(release_capability()) { mu_.unlock(); }

 private:
  std::mutex mu_;
};

class HALLMARK_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mu) HALLMARK_THREAD_ANNOTATION(acquire_capability(mu)) : mu_(mu) {
    mu_.lock();
  }
  ~MutexLock() HALLMARK_THREAD_ANNOTATION(release_capability()) { mu_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mu_;
};

// Waits on a Mutex that the caller holds: `while (!ready_) changed_.wait(mu_);`
using ConditionVariable = std::condition_variable_any;

}  // namespace hallmark
