#include "service/app/usage_flush.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace hallmark::app {
namespace {

// Per commit, so that administration gets its turn at the store in between.
constexpr std::size_t kBatch = 1000;

}  // namespace

Status FlushUsage(LastUsage& last_usage, const KeyDirectory& keys, KeyStore& store) {
  std::vector<LastUsageRecord> changed = last_usage.Changed();
  // The last MAC of a key that has ended may have been noted after its end.
  std::erase_if(changed, [&](const LastUsageRecord& record) {
    if (keys.Find(record.key_id) != nullptr) return false;
    if (record.revision == 0) last_usage.Forget(record.key_id);
    return true;
  });
  const std::span<const LastUsageRecord> all(changed);
  for (std::size_t begin = 0; begin < all.size(); begin += kBatch) {
    const auto batch = all.subspan(begin, std::min(kBatch, all.size() - begin));
    std::vector<StoreWrite> writes;
    writes.reserve(batch.size());
    for (const LastUsageRecord& record : batch) writes.push_back(Put(record));
    HALLMARK_ASSIGN_OR_RETURN(const Revision revision, store.Commit(writes));
    last_usage.Stored(batch, revision);
  }
  return {};
}

}  // namespace hallmark::app
