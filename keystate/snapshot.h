// The holder of one small immutable version of something.
#pragma once

#include "keystate/mutex.h"

#include <memory>
#include <utility>

namespace hallmark {

// Holds the current version of an immutable T. A reader keeps the version it loaded for as long as
// it holds the pointer; a writer replaces it whole.
//
// Not std::atomic<std::shared_ptr>: with libstdc++ 12 ThreadSanitizer reports a race inside it, it
// is not lock-free, and it is no faster.
template <class T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> first) : current_(std::move(first)) {}

  std::shared_ptr<const T> Load() const HALLMARK_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return current_;
  }

  void Publish(std::shared_ptr<const T> next) HALLMARK_EXCLUDES(mu_) {
    {
      MutexLock lock(mu_);
      current_.swap(next);
    }  // the old version, if we held it last, dies outside the lock
  }

 private:
  mutable Mutex mu_;
  std::shared_ptr<const T> current_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark
