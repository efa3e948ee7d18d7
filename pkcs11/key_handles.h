// CKA_ID → object handle: filled by one scan, so that no search is ever on the hot path.
#pragma once

#include "keystate/bytes.h"
#include "keystate/clock.h"
#include "keystate/key_spec.h"
#include "keystate/mutex.h"
#include "keystate/records.h"
#include "pkcs11/session.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {

// What is known of one token object.
struct KeyEntry {
  // CK_INVALID_HANDLE: the key is there, but was made beside a scan; it is searched for at its
  // first use.
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  // Two objects share the CKA_ID: neither is used.
  bool ambiguous = false;
  bool alarmed = false;
  // Odd while a call over this key has failed and none has served since: the key may be to blame,
  // or the token.
  std::uint64_t suspicion = 0;
  // The token fails over this key, and over this key alone: not used before then. Lasts twice as
  // long each time.
  SteadyTime left_alone_until{};
  std::chrono::milliseconds left_alone_for{0};
  // As computed on the token since the last scan, under `spec`.
  std::optional<KeyCheckValue> check_value{};
  KeySpec spec = KeySpec::kHmac256;
};

// Which secret keys a token holds, by CKA_ID as it is: perhaps empty, or none of ours.
struct KeyScan {
  std::vector<std::pair<Bytes, CK_OBJECT_HANDLE>> keys;

  bool Contains(const CkaId& id) const;
};
CkResult<KeyScan> ScanKeys(Session& session);

// Thread-safety: every method may be called from any thread.
class KeyHandles {
 public:
  // Goes up with every scan; what was learned under another generation is void.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  // A login and an initialisation may give the handles of keys to other keys. A tag computed by a
  // handle counts only if the numbering was settled when the handle was looked up, and is the same
  // after the token answered.
  class Numbering {
   public:
    bool settled() const { return value_ % 2 == 0; }
    friend bool operator==(Numbering, Numbering) = default;

   private:
    friend class KeyHandles;
    explicit Numbering(std::uint64_t value) : value_(value) {}
    std::uint64_t value_;
  };
  Numbering numbering() const { return Numbering(numbering_.load(std::memory_order_acquire)); }

  struct Found {
    KeyEntry entry;
    std::uint64_t generation;
  };
  std::optional<Found> Find(const CkaId& id) const HALLMARK_EXCLUDES(mu_);

  // Keys made or destroyed between these two are kept or left out, whatever the scan saw. Called
  // before anything that may number handles anew; until FinishScan the numbering is not settled.
  void BeginScan() HALLMARK_EXCLUDES(mu_);
  void FinishScan(const KeyScan& scan) HALLMARK_EXCLUDES(mu_);

  // A key made by an operation that began under `generation`. What it learned of the key is kept
  // only if no scan was made since, or is under way: a scan may come with new handles.
  void Add(const CkaId& id, std::uint64_t generation, const KeyEntry& entry) HALLMARK_EXCLUDES(mu_);
  void Remove(const CkaId& id) HALLMARK_EXCLUDES(mu_);

  // The making or the end of this object is over: a scan beside it may have taken the key for
  // debris, since SoftHSM shows a key that another thread is making before it has its CKA_ID.
  // CK_INVALID_HANDLE: there was none.
  void Settle(CK_OBJECT_HANDLE handle) HALLMARK_EXCLUDES(mu_);

  // Each does nothing if there was a scan since `generation`.
  void SetProven(const CkaId& id, std::uint64_t generation, CK_OBJECT_HANDLE handle, KeySpec spec,
                 const KeyCheckValue& value) HALLMARK_EXCLUDES(mu_);
  // These three outlast scans. A call over the key failed: what to quote of it later; 0 if the key
  // is not there.
  std::uint64_t Suspect(const CkaId& id) HALLMARK_EXCLUDES(mu_);
  // A call served that began under `suspicion`.
  void Acquit(const CkaId& id, std::uint64_t suspicion) HALLMARK_EXCLUDES(mu_);
  // False, and nothing is done, if a call over the key has served since the suspicion.
  bool LeaveAlone(const CkaId& id, std::uint64_t suspicion, SteadyTime now) HALLMARK_EXCLUDES(mu_);
  // True for the first caller of this generation: one alarm per key and scan, not per call.
  bool ClaimAlarm(const CkaId& id, std::uint64_t generation) HALLMARK_EXCLUDES(mu_);

  // CKA_ID of every object but `but`, also of those that cannot be ours.
  std::vector<Bytes> List(const CkaId& but) const HALLMARK_EXCLUDES(mu_);

 private:
  // The ids are random, so any of their bytes spread well.
  struct Hash {
    std::size_t operator()(const CkaId& id) const {
      std::size_t hash = 0;
      std::memcpy(&hash, id.data(), sizeof hash);
      return hash;
    }
  };
  KeyEntry* FindCurrent(const CkaId& id, std::uint64_t generation) HALLMARK_REQUIRES(mu_);

  struct Foreign {
    Bytes id;
    CK_OBJECT_HANDLE handle;
  };
  static void DropUnfinished(std::vector<Foreign>& foreign, CK_OBJECT_HANDLE handle);

  // Written under mu_.
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<std::uint64_t> numbering_{0};

  mutable Mutex mu_;
  std::unordered_map<CkaId, KeyEntry, Hash> entries_ HALLMARK_GUARDED_BY(mu_);
  // CKA_IDs that cannot be ours for their length: debris, or another program's. Only shown.
  std::vector<Foreign> foreign_ HALLMARK_GUARDED_BY(mu_);
  bool scanning_ HALLMARK_GUARDED_BY(mu_) = false;
  // What happened since BeginScan.
  enum class Change { kAdded, kRemoved };
  std::vector<std::pair<CkaId, Change>> journal_ HALLMARK_GUARDED_BY(mu_);
  std::vector<CK_OBJECT_HANDLE> settled_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark::pkcs11
