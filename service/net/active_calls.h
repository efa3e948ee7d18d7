// How many calls a front is working on; a server that stops waits for them.
#pragma once

#include <atomic>
#include <cstddef>

namespace hallmark::net {

// Thread-safety: every method may be called from any thread.
class ActiveCalls {
 public:
  void Begin() { count_.fetch_add(1, std::memory_order_relaxed); }
  void End() { count_.fetch_sub(1, std::memory_order_relaxed); }
  bool none() const { return count_.load(std::memory_order_relaxed) == 0; }

 private:
  std::atomic<std::size_t> count_{0};
};

}  // namespace hallmark::net
