#include "service/app/mac_rates.h"

#include <algorithm>
#include <functional>
#include <string>

namespace hallmark::app {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kSecond = std::chrono::seconds(1);
constexpr std::size_t kSweepAtLeast = 64;

nanoseconds IntervalOf(std::size_t per_second) {
  return kSecond / static_cast<nanoseconds::rep>(per_second);
}

Status Refused(nanoseconds wait, const char* limit) {
  return Unexpected(Throttled(std::chrono::ceil<std::chrono::milliseconds>(wait),
                              std::string("more than limits.") + limit));
}

}  // namespace

nanoseconds RateBuckets::Take(std::uint64_t whose, std::size_t per_second, SteadyTime now) {
  Shard& shard = Of(whose);
  const MutexLock lock(shard.mu);
  if (shard.full_at.size() >= shard.sweep_at) {
    std::erase_if(shard.full_at, [now](const auto& bucket) { return bucket.second <= now; });
    shard.sweep_at = std::max(kSweepAtLeast, 2 * shard.full_at.size());
  }
  SteadyTime& full_at = shard.full_at[whose];
  const SteadyTime full_then = std::max(full_at, now) + IntervalOf(per_second);
  if (full_then > now + kSecond) return full_then - now - kSecond;
  full_at = full_then;
  return nanoseconds{0};
}

void RateBuckets::GiveBack(std::uint64_t whose, std::size_t per_second) {
  Shard& shard = Of(whose);
  const MutexLock lock(shard.mu);
  if (const auto found = shard.full_at.find(whose); found != shard.full_at.end()) {
    found->second -= IntervalOf(per_second);
  }
}

std::size_t RateBuckets::size() {
  std::size_t buckets = 0;
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mu);
    buckets += shard.full_at.size();
  }
  return buckets;
}

void MacRates::Set(Limits limits) {
  per_principal_.store(limits.per_principal, std::memory_order_relaxed);
  per_key_.store(limits.per_key, std::memory_order_relaxed);
}

Status MacRates::Take(std::string_view principal_id, const KeyId& key, SteadyTime now) {
  const std::size_t per_principal = per_principal_.load(std::memory_order_relaxed);
  const std::size_t per_key = per_key_.load(std::memory_order_relaxed);
  const std::uint64_t principal = std::hash<std::string_view>{}(principal_id);
  if (per_principal > 0) {
    const nanoseconds wait = principals_.Take(principal, per_principal, now);
    if (wait > nanoseconds{0}) return Refused(wait, "principal_macs_per_second");
  }
  if (per_key > 0) {
    const nanoseconds wait = keys_.Take(std::hash<KeyId>{}(key), per_key, now);
    if (wait > nanoseconds{0}) {
      if (per_principal > 0) principals_.GiveBack(principal, per_principal);
      return Refused(wait, "key_macs_per_second");
    }
  }
  return {};
}

}  // namespace hallmark::app
