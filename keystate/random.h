// The port through which unpredictable bytes enter.
#pragma once

#include <cstddef>
#include <span>

namespace hallmark {

// Thread-safety: every method may be called from any thread.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  // Fills `out` with bytes fit for keys. Cannot fail: an operating system without randomness aborts
  // us.
  virtual void Fill(std::span<std::byte> out) = 0;
};

}  // namespace hallmark
