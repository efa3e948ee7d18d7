// Callers that do not stop while a token fails.
#pragma once

#include "tests/pkcs11/opened_token.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {

// Callers that make MACs all the time, and what they were answered.
class Load {
 public:
  Load(Hsm& hsm, const MacKey& key, std::string expected, int callers = 4)
      : expected_(std::move(expected)) {
    for (int caller = 0; caller < callers; ++caller) {
      callers_.emplace_back([this, &hsm, key](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const SteadyTime started = std::chrono::steady_clock::now();
          auto task = std::make_shared<WaitingTask>(key, "message", In(kLong));
          hsm.ComputeMac(task);
          const Result<MacTag> tag = task->Wait();
          if (tag.has_value()) {
            (ToHex(tag->bytes()) == expected_ ? right : wrong)++;
            last_right = std::chrono::steady_clock::now().time_since_epoch().count();
          } else {
            ++refused;
            // Refused at once, so it would be repeated as fast as it can be asked.
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
          const auto took = std::chrono::steady_clock::now() - started;
          if (took.count() > longest) longest = took.count();
        }
      });
    }
  }

  // Waits until so many more MACs were right.
  bool Advance(int macs) const {
    const int goal = right + macs;
    return WaitUntil([&] { return right >= goal; });
  }

  std::atomic<int> right{0};
  std::atomic<int> wrong{0};
  std::atomic<int> refused{0};
  std::atomic<SteadyTime::rep> last_right{0};
  std::atomic<SteadyTime::rep> longest{0};

 private:
  const std::string expected_;
  std::vector<std::jthread> callers_;
};

}  // namespace hallmark::pkcs11
