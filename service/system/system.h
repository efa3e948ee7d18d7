// The operating system behind the ports Clock and RandomSource.
#pragma once

#include "keystate/clock.h"
#include "keystate/random.h"

namespace hallmark::service {

class SystemClock final : public Clock {
 public:
  WallTime Now() const override;
  SteadyTime SteadyNow() const override;
};

class OsRandom final : public RandomSource {
 public:
  void Fill(std::span<std::byte> out) override;
};

}  // namespace hallmark::service
