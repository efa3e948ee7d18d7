#include "pkcs11/key_handles.h"

#include <algorithm>

namespace hallmark::pkcs11 {
namespace {

constexpr std::chrono::milliseconds kFirstLeftAlone{250};
constexpr std::chrono::milliseconds kLongestLeftAlone{60'000};

}  // namespace

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
    const CK_RV rv = id.error().rv;
    if (Classify(rv) == CkClass::kHandle) continue;  // gone since the search
    // Anything but a missing CKA_ID puts the scan in doubt, and a scan that misses keys would make
    // them unavailable.
    if (rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_ATTRIBUTE_SENSITIVE) {
      return Unexpected(id.error());
    }
    scan.keys.emplace_back(Bytes(), handle);
  }
  return scan;
}

bool KeyScan::Contains(const CkaId& id) const {
  return std::any_of(keys.begin(), keys.end(), [&id](const auto& key) {
    return std::equal(key.first.begin(), key.first.end(), id.begin(), id.end());
  });
}

std::optional<KeyHandles::Found> KeyHandles::Find(const CkaId& id) const {
  MutexLock lock(mu_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return Found{found->second, generation()};
}

void KeyHandles::BeginScan() {
  MutexLock lock(mu_);
  scanning_ = true;
  if (numbering().settled()) numbering_.fetch_add(1, std::memory_order_release);
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
    for (const auto& [id, entry] : entries_) {
      if (entry.suspicion == 0) continue;
      const auto at = fresh.find(id);
      if (at == fresh.end()) continue;
      at->second.suspicion = entry.suspicion;
      at->second.left_alone_until = entry.left_alone_until;
      at->second.left_alone_for = entry.left_alone_for;
    }
    entries_.swap(fresh);
    generation_.fetch_add(1, std::memory_order_release);
    if (!numbering().settled()) numbering_.fetch_add(1, std::memory_order_release);
    foreign_.swap(foreign);
  }  // the old entries die outside the lock
}

void KeyHandles::Add(const CkaId& id, std::uint64_t generation, const KeyEntry& entry) {
  MutexLock lock(mu_);
  if (scanning_) journal_.emplace_back(id, Change::kAdded);
  if (generation == this->generation()) {
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
  if (generation != this->generation()) return nullptr;
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

std::uint64_t KeyHandles::Suspect(const CkaId& id) {
  MutexLock lock(mu_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return 0;
  return found->second.suspicion |= 1;
}

void KeyHandles::Acquit(const CkaId& id, std::uint64_t suspicion) {
  MutexLock lock(mu_);
  const auto found = entries_.find(id);
  if (found != entries_.end() && found->second.suspicion == suspicion) ++found->second.suspicion;
}

bool KeyHandles::LeaveAlone(const CkaId& id, std::uint64_t suspicion, SteadyTime now) {
  MutexLock lock(mu_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.suspicion != suspicion) return false;
  KeyEntry& entry = found->second;
  if (now < entry.left_alone_until) return true;
  const bool long_ago = now > entry.left_alone_until + kLongestLeftAlone;
  entry.left_alone_for =
      long_ago ? kFirstLeftAlone : std::min(2 * entry.left_alone_for, kLongestLeftAlone);
  entry.left_alone_until = now + entry.left_alone_for;
  return true;
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
