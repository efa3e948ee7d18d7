// When each key was last used: noted on the hot path, stored now and then.
#pragma once

#include "keystate/mutex.h"
#include "keystate/records.h"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hallmark {

// Sharded, so that callers of different keys do not meet. A key of which nothing is known has no
// entry.
//
// Thread-safety: every method may be called from any thread; Changed and Stored belong together and
// to one thread at a time.
class LastUsage {
 public:
  // Notes a use; an older one does not replace a newer one.
  void Note(const KeyId& key_id, Operation operation, WallTime time, std::string_view request_id);

  std::optional<LastUsageRecord> Find(const KeyId& key_id) const;

  // Takes over what the store holds.
  void Load(std::span<const LastUsageRecord> records);
  // What was noted since it was last stored, each with the revision that the store has.
  std::vector<LastUsageRecord> Changed() const;
  // `records`, as Changed gave them, are stored with this revision. What was noted meanwhile stays
  // changed.
  void Stored(std::span<const LastUsageRecord> records, Revision revision);
  // The key has ended.
  void Forget(const KeyId& key_id);

 private:
  struct Entry {
    LastUsageRecord record;
    bool changed;
  };
  struct Shard {
    mutable Mutex mu;
    std::unordered_map<KeyId, Entry> entries HALLMARK_GUARDED_BY(mu);
  };
  static constexpr std::size_t kShards = 64;

  Shard& ShardOf(const KeyId& id);
  const Shard& ShardOf(const KeyId& id) const;

  std::array<Shard, kShards> shards_;
};

}  // namespace hallmark
