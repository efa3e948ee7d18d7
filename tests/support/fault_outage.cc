#include "tests/support/fault_outage.h"

#include <algorithm>
#include <vector>

namespace hallmark::testing {
namespace {

// Empty when the slot does not say.
std::string LabelOf(CK_FUNCTION_LIST& real, CK_SLOT_ID slot) {
  CK_TOKEN_INFO info{};
  if (real.C_GetTokenInfo(slot, &info) != CKR_OK) return {};
  std::string label(reinterpret_cast<const char*>(info.label), sizeof info.label);
  label.erase(label.find_last_not_of(' ') + 1);
  return label;
}

}  // namespace

void FaultOutage::Remove(const std::string& label) {
  MutexLock lock(mu_);
  removed_.insert(label);
  for (auto& [handle, session] : sessions_) {
    if (session.label == label) session.ended = true;
  }
}

void FaultOutage::PutBack() {
  MutexLock lock(mu_);
  removed_.clear();
}

void FaultOutage::LoseSessions() {
  MutexLock lock(mu_);
  for (auto& [handle, session] : sessions_) session.ended = true;
}

void FaultOutage::BreakModule() {
  MutexLock lock(mu_);
  broken_ = true;
}

void FaultOutage::SetSlotsGone(bool gone) {
  MutexLock lock(mu_);
  slots_gone_ = gone;
  if (gone) slots_seen_gone_ = true;
}

void FaultOutage::Clear() {
  MutexLock lock(mu_);
  removed_.clear();
  broken_ = false;
  slots_gone_ = false;
  slots_seen_gone_ = false;
}

std::optional<CK_RV> FaultOutage::OfModule() const {
  MutexLock lock(mu_);
  if (broken_) return CKR_DEVICE_ERROR;
  return std::nullopt;
}

std::optional<CK_RV> FaultOutage::OfSlot(CK_FUNCTION_LIST& real, CK_SLOT_ID slot) const {
  {
    MutexLock lock(mu_);
    if (broken_) return CKR_DEVICE_ERROR;
    if (slots_seen_gone_) return CKR_SLOT_ID_INVALID;
    if (removed_.empty()) return std::nullopt;
  }
  const std::string label = LabelOf(real, slot);
  MutexLock lock(mu_);
  if (IsRemoved(label)) return CKR_TOKEN_NOT_PRESENT;
  return std::nullopt;
}

std::optional<CK_RV> FaultOutage::OfSession(CK_SESSION_HANDLE session) const {
  MutexLock lock(mu_);
  if (broken_ || slots_seen_gone_) return CKR_DEVICE_ERROR;
  const auto known = sessions_.find(session);
  if (known == sessions_.end() || !known->second.ended) return std::nullopt;
  return IsRemoved(known->second.label) ? CKR_DEVICE_REMOVED : CKR_SESSION_HANDLE_INVALID;
}

CK_RV FaultOutage::SlotList(CK_FUNCTION_LIST& real, CK_BBOOL with_token, CK_SLOT_ID* slots,
                            CK_ULONG* count) const {
  if (const std::optional<CK_RV> rv = OfModule()) return *rv;
  CK_ULONG all_count = 0;
  CK_RV rv = real.C_GetSlotList(with_token, nullptr, &all_count);
  if (rv != CKR_OK) return rv;
  std::vector<CK_SLOT_ID> all(all_count);
  rv = real.C_GetSlotList(with_token, all.data(), &all_count);
  if (rv != CKR_OK) return rv;
  all.resize(all_count);
  std::erase_if(all, [&](CK_SLOT_ID slot) { return OfSlot(real, slot).has_value(); });
  const CK_ULONG room = *count;
  *count = all.size();
  if (slots == nullptr) return CKR_OK;
  if (room < all.size()) return CKR_BUFFER_TOO_SMALL;
  std::copy(all.begin(), all.end(), slots);
  return CKR_OK;
}

void FaultOutage::Opened(CK_FUNCTION_LIST& real, CK_SLOT_ID slot, CK_SESSION_HANDLE session) {
  std::string label = LabelOf(real, slot);
  MutexLock lock(mu_);
  sessions_[session] = {std::move(label), false};
}

void FaultOutage::Closed(CK_SESSION_HANDLE session) {
  MutexLock lock(mu_);
  sessions_.erase(session);
}

void FaultOutage::Initialised() {
  MutexLock lock(mu_);
  sessions_.clear();
  broken_ = false;
  slots_seen_gone_ = slots_gone_;
}

}  // namespace hallmark::testing
