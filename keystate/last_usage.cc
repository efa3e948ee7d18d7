#include "keystate/last_usage.h"

#include <functional>
#include <string>

namespace hallmark {

LastUsage::Shard& LastUsage::ShardOf(const KeyId& id) {
  return shards_[std::hash<KeyId>{}(id) % kShards];
}

const LastUsage::Shard& LastUsage::ShardOf(const KeyId& id) const {
  return shards_[std::hash<KeyId>{}(id) % kShards];
}

void LastUsage::Note(const KeyId& key_id, Operation operation, WallTime time,
                     std::string_view request_id) {
  Shard& shard = ShardOf(key_id);
  MutexLock lock(shard.mu);
  const auto found = shard.entries.find(key_id);
  if (found == shard.entries.end()) {
    shard.entries.emplace(
        key_id, Entry{{key_id, operation, time, std::string(request_id)}, /*changed=*/true});
    return;
  }
  LastUsageRecord& record = found->second.record;
  if (record.time > time) return;
  record.operation = operation;
  record.time = time;
  record.request_id.assign(request_id);  // in place: ids are of one length
  found->second.changed = true;
}

std::optional<LastUsageRecord> LastUsage::Find(const KeyId& key_id) const {
  const Shard& shard = ShardOf(key_id);
  MutexLock lock(shard.mu);
  const auto found = shard.entries.find(key_id);
  return found == shard.entries.end() ? std::nullopt : std::optional(found->second.record);
}

void LastUsage::Load(std::span<const LastUsageRecord> records) {
  for (const LastUsageRecord& record : records) {
    Shard& shard = ShardOf(record.key_id);
    MutexLock lock(shard.mu);
    shard.entries.insert_or_assign(record.key_id, Entry{record, /*changed=*/false});
  }
}

std::vector<LastUsageRecord> LastUsage::Changed() const {
  std::vector<LastUsageRecord> changed;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mu);
    for (const auto& [id, entry] : shard.entries) {
      if (entry.changed) changed.push_back(entry.record);
    }
  }
  return changed;
}

void LastUsage::Stored(std::span<const LastUsageRecord> records, Revision revision) {
  for (const LastUsageRecord& stored : records) {
    Shard& shard = ShardOf(stored.key_id);
    MutexLock lock(shard.mu);
    const auto found = shard.entries.find(stored.key_id);
    if (found == shard.entries.end()) continue;
    LastUsageRecord& record = found->second.record;
    record.revision = revision;
    found->second.changed = record.request_id != stored.request_id || record.time != stored.time;
  }
}

void LastUsage::Forget(const KeyId& key_id) {
  Shard& shard = ShardOf(key_id);
  MutexLock lock(shard.mu);
  shard.entries.erase(key_id);
}

}  // namespace hallmark
