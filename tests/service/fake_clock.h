// Time that stands until a test moves it.
#pragma once

#include "keystate/clock.h"

#include <atomic>
#include <chrono>

namespace hallmark::service {

class FakeClock : public Clock {
 public:
  WallTime Now() const override { return WallTime(std::chrono::milliseconds(0)); }
  SteadyTime SteadyNow() const override {
    return SteadyTime(SteadyTime::duration(since_start_.load()));
  }
  void Advance(SteadyTime::duration by) { since_start_ += by.count(); }

 private:
  // Not at zero: the beginning of time is where nothing has happened yet.
  std::atomic<SteadyTime::rep> since_start_{1'000'000'000'000};
};

}  // namespace hallmark::service
