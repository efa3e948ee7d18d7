#include "pkcs11/session_pool.h"

#include <utility>

namespace hallmark::pkcs11 {

Lease::Lease(Lease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      session_(std::move(other.session_)),
      epoch_(other.epoch_),
      spoiled_(other.spoiled_) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    GiveBack();
    pool_ = std::exchange(other.pool_, nullptr);
    session_ = std::move(other.session_);
    epoch_ = other.epoch_;
    spoiled_ = other.spoiled_;
  }
  return *this;
}

bool Lease::unwelcome() const {
  return pool_->waiting_.load(std::memory_order_relaxed) > 0 ||
         pool_->epoch_.load(std::memory_order_relaxed) != epoch_;
}

void Lease::GiveBack() noexcept {
  if (pool_ != nullptr) pool_->Return(*std::move(session_), epoch_, spoiled_);
  pool_ = nullptr;
}

SessionPool::SessionPool(const CK_FUNCTION_LIST& functions, CK_SLOT_ID slot,
                         std::size_t max_sessions)
    : functions_(functions), max_sessions_(max_sessions), slot_(slot) {
  idle_.reserve(max_sessions);
}

CkResult<Lease> SessionPool::Acquire(SteadyTime deadline) {
  for (;;) {
    CK_SLOT_ID slot = 0;
    std::uint64_t epoch = 0;
    {
      MutexLock lock(mu_);
      while (idle_.empty() && open_ >= max_sessions_) {
        waiting_.fetch_add(1, std::memory_order_relaxed);
        const bool timed_out = returned_.wait_until(mu_, deadline) == std::cv_status::timeout;
        waiting_.fetch_sub(1, std::memory_order_relaxed);
        if (timed_out && idle_.empty() && open_ >= max_sessions_) {
          return Unexpected(CkFault{CKR_SESSION_COUNT, "waiting for a session"});
        }
      }
      epoch = epoch_.load(std::memory_order_relaxed);
      if (!idle_.empty()) {
        Session session = std::move(idle_.back());
        idle_.pop_back();
        return Lease(this, std::move(session), epoch);
      }
      ++open_;
      slot = slot_;
    }
    CkResult<Session> session = Session::Open(functions_, slot);
    if (session.has_value()) return Lease(this, *std::move(session), epoch);

    MutexLock lock(mu_);
    --open_;
    // Other programs use up the token's sessions: one of ours will come back, and does as well.
    const bool wait = Classify(session.error().rv) == CkClass::kBusy && open_ > 0;
    if (!wait) {
      returned_.notify_one();  // another waiter may fare better
      return Unexpected(session.error());
    }
    waiting_.fetch_add(1, std::memory_order_relaxed);
    // Also a session that was closed counts: its place in the token is free now.
    for (const std::uint64_t before = returns_; returns_ == before && open_ > 0;) {
      if (returned_.wait_until(mu_, deadline) == std::cv_status::timeout) break;
    }
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    if (idle_.empty() && std::chrono::steady_clock::now() >= deadline) {
      return Unexpected(session.error());
    }
  }
}

void SessionPool::Return(Session session, std::uint64_t epoch, bool spoiled) {
  {
    MutexLock lock(mu_);
    if (!spoiled && epoch == epoch_.load(std::memory_order_relaxed)) {
      idle_.push_back(std::move(session));
      ++returns_;
      returned_.notify_one();
      return;
    }
  }
  {
    const Session closing = std::move(session);  // closed before its place is given away
  }
  MutexLock lock(mu_);
  --open_;
  ++returns_;
  returned_.notify_one();
}

void SessionPool::Reset(CK_SLOT_ID slot) {
  std::vector<Session> closing;
  closing.reserve(max_sessions_);
  {
    MutexLock lock(mu_);
    epoch_.fetch_add(1, std::memory_order_relaxed);
    slot_ = slot;
    closing.swap(idle_);
  }
  const std::size_t closed = closing.size();
  closing.clear();
  MutexLock lock(mu_);
  open_ -= closed;
  ++returns_;
  returned_.notify_all();
}

std::size_t SessionPool::open_sessions() const {
  MutexLock lock(mu_);
  return open_;
}

}  // namespace hallmark::pkcs11
