#include "pkcs11/key_handles.h"

#include <algorithm>

namespace hallmark::pkcs11 {

CkResult<KeyScan> ScanKeys(Session& session) {
  AttributeTemplate search;
  FillSearchTemplate(&search);
  HALLMARK_ASSIGN_OR_RETURN(const std::vector<CK_OBJECT_HANDLE> handles, session.Find(search));
  KeyScan scan;
  scan.keys.reserve(handles.size());
  for (const CK_OBJECT_HANDLE handle : handles) {
    CkResult<Bytes> id = session.ReadAttribute(handle, CKA_ID);
    if (id.has_value()) {
      scan.keys.emplace_back(*std::move(id), handle);
      continue;
    }
    const CkClass what = Classify(id.error().rv);
    if (what == CkClass::kHandle) continue;  // gone since the search
    // Anything but a missing CKA_ID puts the scan in doubt, and a scan that misses keys would make
    // them unavailable.
    if (what != CkClass::kData) return Unexpected(id.error());
    scan.keys.emplace_back(Bytes(), handle);
  }
  return scan;
}

std::uint64_t KeyHandles::generation() const {
  MutexLock lock(mu_);
  return generation_;
}

std::optional<KeyHandles::Found> KeyHandles::Find(const CkaId& id) const {
  MutexLock lock(mu_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return Found{found->second, generation_};
}

void KeyHandles::BeginScan() {
  MutexLock lock(mu_);
  scanning_ = true;
  journal_.clear();
  settled_.clear();
}

void KeyHandles::FinishScan(const KeyScan& scan) {
  decltype(entries_) fresh;
  std::vector<Foreign> foreign;
  fresh.reserve(scan.keys.size());
  for (const auto& [id_bytes, handle] : scan.keys) {
    CkaId id;
    if (id_bytes.size() != id.size()) {
      foreign.push_back({id_bytes, handle});
      continue;
    }
    std::copy(id_bytes.begin(), id_bytes.end(), id.begin());
    KeyEntry entry;
    entry.handle = handle;
    const auto [at, is_new] = fresh.emplace(id, entry);
    if (!is_new) at->second.ambiguous = true;
  }
  {
    MutexLock lock(mu_);
    for (const auto& [id, change] : journal_) {
      if (change == Change::kAdded) {
        fresh.try_emplace(id);  // unless the scan saw it
      } else {
        fresh.erase(id);
      }
    }
    for (const CK_OBJECT_HANDLE settled : settled_) DropUnfinished(foreign, settled);
    settled_.clear();
    journal_.clear();
    scanning_ = false;
    ++generation_;
    entries_.swap(fresh);
    foreign_.swap(foreign);
  }  // the old entries die outside the lock
}

void KeyHandles::Add(const CkaId& id, std::uint64_t generation, const KeyEntry& entry) {
  MutexLock lock(mu_);
  if (scanning_) journal_.emplace_back(id, Change::kAdded);
  if (generation == generation_) {
    entries_.insert_or_assign(id, entry);
  } else {
    entries_.try_emplace(id);  // unless the scan saw it
  }
}

void KeyHandles::Remove(const CkaId& id) {
  MutexLock lock(mu_);
  if (scanning_) journal_.emplace_back(id, Change::kRemoved);
  entries_.erase(id);
}

void KeyHandles::Settle(CK_OBJECT_HANDLE handle) {
  MutexLock lock(mu_);
  if (scanning_) settled_.push_back(handle);
  DropUnfinished(foreign_, handle);
}

void KeyHandles::DropUnfinished(std::vector<Foreign>& foreign, CK_OBJECT_HANDLE handle) {
  std::erase_if(foreign, [handle](const Foreign& object) {
    return object.id.empty() && object.handle == handle;
  });
}

KeyEntry* KeyHandles::FindCurrent(const CkaId& id, std::uint64_t generation) {
  if (generation != generation_) return nullptr;
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

void KeyHandles::SetProven(const CkaId& id, std::uint64_t generation, CK_OBJECT_HANDLE handle,
                           KeySpec spec, const KeyCheckValue& value) {
  MutexLock lock(mu_);
  if (KeyEntry* entry = FindCurrent(id, generation)) {
    entry->handle = handle;
    entry->spec = spec;
    entry->check_value = value;
  }
}

void KeyHandles::SetUnusable(const CkaId& id, std::uint64_t generation) {
  MutexLock lock(mu_);
  if (KeyEntry* entry = FindCurrent(id, generation)) entry->unusable = true;
}

bool KeyHandles::ClaimAlarm(const CkaId& id, std::uint64_t generation) {
  MutexLock lock(mu_);
  KeyEntry* entry = FindCurrent(id, generation);
  return entry != nullptr && !std::exchange(entry->alarmed, true);
}

std::vector<Bytes> KeyHandles::List(const CkaId& but) const {
  std::vector<Bytes> ids;
  MutexLock lock(mu_);
  ids.reserve(entries_.size() + foreign_.size());
  for (const auto& [id, entry] : entries_) {
    if (id != but) ids.emplace_back(id.begin(), id.end());
  }
  for (const Foreign& object : foreign_) ids.push_back(object.id);
  return ids;
}

}  // namespace hallmark::pkcs11
