// Callers that do not stop while a token fails.
#pragma once

#include "keystate/mutex.h"
#include "tests/pkcs11/opened_token.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {

// Callers that make MACs all the time, and what they were answered.
class Load {
 public:
  Load(Hsm& hsm, const MacKey& key, std::string expected, std::size_t callers = 4)
      : expected_(std::move(expected)), served_(callers) {
    for (std::atomic<int>& served : served_) {
      callers_.emplace_back([this, &hsm, key, &served](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const SteadyTime started = std::chrono::steady_clock::now();
          auto task = std::make_shared<WaitingTask>(key, "message", In(kLong));
          hsm.ComputeMac(task);
          const Result<MacTag> tag = task->Wait();
          if (tag.has_value()) {
            (ToHex(tag->bytes()) == expected_ ? right : wrong)++;
            last_right = std::chrono::steady_clock::now().time_since_epoch().count();
            ++served;
          } else {
            ++refused;
            Keep(tag.error());
            // Refused at once, so it would be repeated as fast as it can be asked.
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
          const auto took = std::chrono::steady_clock::now() - started;
          if (took.count() > longest) longest = took.count();
        }
      });
    }
  }

  // Waits until each caller was served that many times more, so that none of them has been under
  // way all along.
  bool Advance(int times) const {
    const std::vector<int> before(served_.begin(), served_.end());
    return WaitUntil([&] {
      return std::equal(served_.begin(), served_.end(), before.begin(),
                        [&](int now, int then) { return now >= then + times; });
    });
  }

  std::atomic<int> right{0};
  std::atomic<int> wrong{0};
  std::atomic<int> refused{0};
  std::atomic<SteadyTime::rep> last_right{0};
  std::atomic<SteadyTime::rep> longest{0};

  std::string last_refusal() const {
    MutexLock lock(mu_);
    return last_refusal_;
  }

 private:
  void Keep(const Error& refusal) {
    MutexLock lock(mu_);
    last_refusal_ = refusal.detail;
  }

  const std::string expected_;
  mutable Mutex mu_;
  std::string last_refusal_ HALLMARK_GUARDED_BY(mu_);
  std::vector<std::atomic<int>> served_;
  std::vector<std::jthread> callers_;
};

}  // namespace hallmark::pkcs11
