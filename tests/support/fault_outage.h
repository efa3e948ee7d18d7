// Outages of whole tokens and of the module, for FaultList.
#pragma once

#include "keystate/mutex.h"
#include "pkcs11/cryptoki.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace hallmark::testing {

// What has happened to tokens, and which sessions that has ended.
//
// Thread-safety: every method may be called from any thread.
class FaultOutage {
 public:
  // Until PutBack the token's slot is empty, and its sessions answer CKR_DEVICE_REMOVED; afterwards
  // these answer CKR_SESSION_HANDLE_INVALID: it takes new ones.
  void Remove(const std::string& label) HALLMARK_EXCLUDES(mu_);
  void PutBack() HALLMARK_EXCLUDES(mu_);
  // Every session there is answers CKR_SESSION_HANDLE_INVALID.
  void LoseSessions() HALLMARK_EXCLUDES(mu_);
  // Everything answers CKR_DEVICE_ERROR until C_Finalize and C_Initialize, as p11-kit's client does
  // whose server has died.
  void BreakModule() HALLMARK_EXCLUDES(mu_);
  // No slot is there, and nobody's session works; takes C_Finalize and C_Initialize to end once it
  // is lifted, as with p11-kit's client when nobody listens.
  void SetSlotsGone(bool gone) HALLMARK_EXCLUDES(mu_);
  void Clear() HALLMARK_EXCLUDES(mu_);

  // What calls answer now; nothing: the module itself answers.
  std::optional<CK_RV> OfModule() const HALLMARK_EXCLUDES(mu_);
  std::optional<CK_RV> OfSlot(CK_FUNCTION_LIST& real, CK_SLOT_ID slot) const HALLMARK_EXCLUDES(mu_);
  std::optional<CK_RV> OfSession(CK_SESSION_HANDLE session) const HALLMARK_EXCLUDES(mu_);
  // C_GetSlotList without the slots of removed tokens.
  CK_RV SlotList(CK_FUNCTION_LIST& real, CK_BBOOL with_token, CK_SLOT_ID* slots,
                 CK_ULONG* count) const HALLMARK_EXCLUDES(mu_);

  void Opened(CK_FUNCTION_LIST& real, CK_SLOT_ID slot, CK_SESSION_HANDLE session)
      HALLMARK_EXCLUDES(mu_);
  void Closed(CK_SESSION_HANDLE session) HALLMARK_EXCLUDES(mu_);
  void Initialised() HALLMARK_EXCLUDES(mu_);

 private:
  struct KnownSession {
    std::string label;
    bool ended = false;
  };
  bool IsRemoved(std::string_view label) const HALLMARK_REQUIRES(mu_) {
    return removed_.find(label) != removed_.end();
  }

  mutable Mutex mu_;
  std::set<std::string, std::less<>> removed_ HALLMARK_GUARDED_BY(mu_);
  std::map<CK_SESSION_HANDLE, KnownSession> sessions_ HALLMARK_GUARDED_BY(mu_);
  bool broken_ HALLMARK_GUARDED_BY(mu_) = false;
  bool slots_gone_ HALLMARK_GUARDED_BY(mu_) = false;
  bool slots_seen_gone_ HALLMARK_GUARDED_BY(mu_) = false;
};

}  // namespace hallmark::testing
