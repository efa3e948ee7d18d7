// The port through which time enters.
#pragma once

#include <chrono>

namespace hallmark {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

// Thread-safety: every method may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;
  // For deadlines: never jumps.
  virtual SteadyTime SteadyNow() const = 0;
};

}  // namespace hallmark
