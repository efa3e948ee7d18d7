// Callers that have a token compute one MAC after another.
#pragma once

#include "tests/pkcs11/opened_token.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::pkcs11 {

class Load {
 public:
  struct Counts {
    std::size_t good = 0;
    std::size_t failed = 0;
    std::size_t wrong = 0;
  };

  Load(Hsm& hsm, const MacKey& key, int callers) : hsm_(hsm), key_(key) {
    const Result<MacTag> first = Call();
    EXPECT_THAT(first, IsOk());
    if (first.has_value()) expected_ = ToHex(first->bytes());
    for (int i = 0; i < callers; ++i) callers_.emplace_back([this] { Run(); });
  }
  ~Load() { Stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Waits until so many more MACs were right.
  bool Advance(std::size_t macs) {
    const std::size_t goal = good_.load() + macs;
    return WaitUntil([&] { return good_.load() >= goal; });
  }
  std::size_t good() const { return good_.load(); }

  Counts Stop() {
    stopping_.store(true);
    callers_.clear();
    return {good_.load(), failed_.load(), wrong_.load()};
  }

  std::string first_failure() {
    MutexLock lock(mu_);
    return first_failure_;
  }

 private:
  Result<MacTag> Call() {
    auto task = std::make_shared<WaitingTask>(key_, "message", In(std::chrono::seconds{10}));
    task->compute_here = true;
    hsm_.ComputeMac(task);
    return task->Wait();
  }
  void Run() {
    while (!stopping_.load()) {
      const Result<MacTag> tag = Call();
      if (tag.has_value()) {
        ++(ToHex(tag->bytes()) == expected_ ? good_ : wrong_);
        continue;
      }
      ++failed_;
      {
        MutexLock lock(mu_);
        if (first_failure_.empty()) first_failure_ = ToString(tag.error());
      }
      // A refusal comes at once: not so many that nobody else gets on.
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
  }

  Hsm& hsm_;
  const MacKey key_;
  std::string expected_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> good_{0};
  std::atomic<std::size_t> failed_{0};
  std::atomic<std::size_t> wrong_{0};
  Mutex mu_;
  std::string first_failure_ HALLMARK_GUARDED_BY(mu_);
  std::vector<std::jthread> callers_;
};

}  // namespace hallmark::pkcs11
