#include "service/authn/signature_marks.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace hallmark::authn {

using std::chrono::floor;
using std::chrono::seconds;

StoredSignatureMarks::StoredSignatureMarks(KeyStore& store,
                                           std::span<const SignatureMarkRecord> records,
                                           WallTime began)
    : store_(store), began_(floor<seconds>(began)) {
  const MutexLock lock(mu_);
  for (const SignatureMarkRecord& record : records) {
    const SigningTime until = floor<seconds>(record.until);
    if (until > began_) used_until_[record.access_key_id] = until;
    stored_[record.access_key_id] = record;
  }
}

Status StoredSignatureMarks::RemovePast() {
  const MutexLock lock(mu_);
  std::vector<StoreWrite> writes;
  for (const auto& [access_key_id, record] : stored_) {
    if (record.until <= began_) writes.push_back(Remove(record));
  }
  if (writes.empty()) return {};
  HALLMARK_RETURN_IF_ERROR(store_.Commit(writes));
  std::erase_if(stored_, [this](const auto& entry) { return entry.second.until <= began_; });
  return {};
}

SigningTime StoredSignatureMarks::UsedUntil(std::string_view access_key_id) const {
  const auto mark = used_until_.find(access_key_id);
  return mark == used_until_.end() ? began_ : mark->second;
}

Status StoredSignatureMarks::Raise(std::string_view access_key_id, SigningTime signed_at) {
  const MutexLock lock(mu_);
  const auto stored = stored_.find(access_key_id);
  if (stored != stored_.end() && signed_at <= stored->second.until) return {};
  SignatureMarkRecord next{.access_key_id = std::string(access_key_id),
                           .until = signed_at + kStep,
                           .revision = stored == stored_.end() ? 0 : stored->second.revision};
  HALLMARK_ASSIGN_OR_RETURN(next.revision, store_.Commit(std::array{Put(next)}));
  stored_[next.access_key_id] = next;
  return {};
}

}  // namespace hallmark::authn
