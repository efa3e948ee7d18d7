// How often MACs may be asked for.
#pragma once

#include "keystate/clock.h"
#include "keystate/ids.h"
#include "keystate/mutex.h"
#include "keystate/result.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace hallmark::app {

// Token buckets that hold a second's worth, one for each that was used lately.
//
// Thread-safety: every method may be called from any thread.
class RateBuckets {
 public:
  // Zero: one was taken. Otherwise how long it takes until there is one.
  std::chrono::nanoseconds Take(std::uint64_t whose, std::size_t per_second, SteadyTime now);
  // Undoes a Take.
  void GiveBack(std::uint64_t whose, std::size_t per_second);

  // In memory: those that are full again are dropped now and then, so at most twice as many as
  // were used within a second, and some.
  std::size_t size();

 private:
  struct Shard {
    Mutex mu;
    // When the bucket will be full again, by whose it is.
    std::unordered_map<std::uint64_t, SteadyTime> full_at HALLMARK_GUARDED_BY(mu);
    std::size_t sweep_at HALLMARK_GUARDED_BY(mu) = 64;
  };
  static constexpr std::size_t kShards = 16;

  Shard& Of(std::uint64_t whose) { return shards_.at(whose % kShards); }

  std::array<Shard, kShards> shards_;
};

// Per principal and per key.
//
// Thread-safety: every method may be called from any thread.
class MacRates {
 public:
  // MACs per second; 0: any number.
  struct Limits {
    std::size_t per_principal = 0;
    std::size_t per_key = 0;
  };

  // From now on.
  void Set(Limits limits);

  // Counts a MAC, unless it is refused.
  //
  // Errors: ThrottlingException with the time to wait.
  Status Take(std::string_view principal_id, const KeyId& key, SteadyTime now);

 private:
  std::atomic<std::size_t> per_principal_{0};
  std::atomic<std::size_t> per_key_{0};
  RateBuckets principals_;
  RateBuckets keys_;
};

}  // namespace hallmark::app
