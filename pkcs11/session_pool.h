// Sessions, lent one at a time.
#pragma once

#include "keystate/clock.h"
#include "keystate/mutex.h"
#include "pkcs11/session.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace hallmark::pkcs11 {

class SessionPool;

// A session on loan; goes back to its pool on destruction, unless it was spoiled.
class Lease {
 public:
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { GiveBack(); }

  Session& session() { return *session_; }
  // After an error inside an operation nobody knows what state the session is in: it will be
  // closed.
  void Spoil() { spoiled_ = true; }
  // Somebody waits for a session, or this one is from before the last Reset.
  bool unwelcome() const;

 private:
  friend class SessionPool;
  Lease(SessionPool* pool, Session session, std::uint64_t epoch)
      : pool_(pool), session_(std::move(session)), epoch_(epoch) {}
  void GiveBack() noexcept;

  SessionPool* pool_;  // outlives the lease; null when moved from
  std::optional<Session> session_;
  std::uint64_t epoch_;
  bool spoiled_ = false;
};

// Opens sessions as they are needed, up to a bound, and keeps the good ones. The bound falls when
// the token has no room for a session, and rises again one by one.
//
// While the token is being brought back the pool is shut: nothing is lent, and who wants a session
// waits, two seconds at most. Once it is out, nobody waits.
//
// Thread-safety: every method may be called from any thread. No lock is held across a token call.
class SessionPool {
 public:
  SessionPool(const CK_FUNCTION_LIST& functions, CK_SLOT_ID slot, std::size_t max_sessions);

  // Waits for a session until `deadline`, no longer.
  // Errors: CKR_SESSION_COUNT (kBusy) when none became free in time; CKR_DEVICE_REMOVED (kDevice)
  //   when the token is out.
  CkResult<Lease> Acquire(SteadyTime deadline) HALLMARK_EXCLUDES(mu_);

  // An operation failed because the token has no room for so many sessions. Counts once a second,
  // since all who are inside at that moment are told the same.
  void Shed() HALLMARK_EXCLUDES(mu_);

  // Lends nothing any more; sessions that come back are closed.
  void Shut() HALLMARK_EXCLUDES(mu_);
  // True when all sessions are back.
  bool AwaitReturned(SteadyTime give_up) HALLMARK_EXCLUDES(mu_);
  // Lends again what it has.
  void Reopen() HALLMARK_EXCLUDES(mu_);
  // Closes what is idle and, as they come back, all sessions lent before now; lends again, and
  // opens on `slot` from now on.
  void Reset(CK_SLOT_ID slot) HALLMARK_EXCLUDES(mu_);
  // The token is out: whoever waits is told.
  void Fail() HALLMARK_EXCLUDES(mu_);
  // The module was finalised: idle sessions have ended.
  void Forget() HALLMARK_EXCLUDES(mu_);

  // Sessions that exist now, lent or idle.
  std::size_t open_sessions() const HALLMARK_EXCLUDES(mu_);
  // How many may exist, as far as the token has told.
  std::size_t budget() const HALLMARK_EXCLUDES(mu_);

 private:
  friend class Lease;
  enum class State { kLending, kShut, kFailed };

  void Return(Session session, std::uint64_t epoch, bool spoiled) HALLMARK_EXCLUDES(mu_);
  void Enter(State state) HALLMARK_EXCLUDES(mu_);
  // Waits until a session is idle or may be opened.
  CkStatus AwaitRoom(SteadyTime deadline) HALLMARK_REQUIRES(mu_);
  bool HasRoom(SteadyTime now) HALLMARK_REQUIRES(mu_);
  void Lower(std::size_t to, SteadyTime now) HALLMARK_REQUIRES(mu_);

  const CK_FUNCTION_LIST& functions_;
  const std::size_t max_sessions_;
  // Written under mu_; read without it by leases that only want to know whether to hurry.
  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<std::size_t> waiting_{0};

  mutable Mutex mu_;
  ConditionVariable returned_;
  CK_SLOT_ID slot_ HALLMARK_GUARDED_BY(mu_);
  std::vector<Session> idle_ HALLMARK_GUARDED_BY(mu_);
  std::size_t open_ HALLMARK_GUARDED_BY(mu_) = 0;
  State state_ HALLMARK_GUARDED_BY(mu_) = State::kLending;
  SteadyTime shut_since_ HALLMARK_GUARDED_BY(mu_){};
  std::size_t budget_ HALLMARK_GUARDED_BY(mu_);
  SteadyTime raise_at_ HALLMARK_GUARDED_BY(mu_){};
  SteadyTime shed_at_ HALLMARK_GUARDED_BY(mu_){};
};

}  // namespace hallmark::pkcs11
