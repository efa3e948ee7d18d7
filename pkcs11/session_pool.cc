#include "pkcs11/session_pool.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace hallmark::pkcs11 {
namespace {

// How long a caller waits for a token that is being brought back.
constexpr std::chrono::seconds kPatience{2};
// A token that had no room for a session is asked for one more after this.
constexpr std::chrono::seconds kRaiseAfter{2};
constexpr std::chrono::seconds kShedOnce{1};

}  // namespace

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
    : functions_(functions), max_sessions_(max_sessions), slot_(slot), budget_(max_sessions) {
  idle_.reserve(max_sessions);
}

bool SessionPool::HasRoom(SteadyTime now) {
  if (!idle_.empty() || open_ < budget_) return true;
  if (budget_ >= max_sessions_ || now < raise_at_) return false;
  ++budget_;
  raise_at_ = now + kRaiseAfter;
  return true;
}

CkStatus SessionPool::AwaitRoom(SteadyTime deadline) {
  for (;;) {
    if (state_ == State::kFailed) {
      return Unexpected(CkFault{CKR_DEVICE_REMOVED, "waiting for a session"});
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    const bool lending = state_ == State::kLending;
    if (lending && HasRoom(now)) return {};
    const SteadyTime give_up = lending ? deadline : std::min(deadline, shut_since_ + kPatience);
    if (now >= give_up) return Unexpected(CkFault{CKR_SESSION_COUNT, "waiting for a session"});
    const bool may_rise = lending && budget_ < max_sessions_;
    waiting_.fetch_add(1, std::memory_order_relaxed);
    returned_.wait_until(mu_, may_rise ? std::min(give_up, raise_at_) : give_up);
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }
}

CkResult<Lease> SessionPool::Acquire(SteadyTime deadline) {
  for (;;) {
    CK_SLOT_ID slot = 0;
    std::uint64_t epoch = 0;
    {
      MutexLock lock(mu_);
      HALLMARK_RETURN_IF_ERROR(AwaitRoom(deadline));
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
    returned_.notify_all();  // another waiter may fare better, and a shut pool is empty the sooner
    // Other programs use up the token's sessions: one of ours will come back, and does as well.
    if (Classify(session.error().rv) != CkClass::kBusy || open_ == 0) {
      return Unexpected(session.error());
    }
    Lower(open_, std::chrono::steady_clock::now());
  }
}

void SessionPool::Lower(std::size_t to, SteadyTime now) {
  budget_ = std::max<std::size_t>(1, std::min(budget_, to));
  raise_at_ = now + kRaiseAfter;
}

void SessionPool::Shed() {
  const SteadyTime now = std::chrono::steady_clock::now();
  MutexLock lock(mu_);
  if (now < shed_at_ + kShedOnce) return;
  shed_at_ = now;
  Lower(open_ > 0 ? open_ - 1 : 0, now);
}

void SessionPool::Return(Session session, std::uint64_t epoch, bool spoiled) {
  {
    MutexLock lock(mu_);
    if (!spoiled && epoch == epoch_.load(std::memory_order_relaxed) && open_ <= budget_) {
      idle_.push_back(std::move(session));
      if (waiting_.load(std::memory_order_relaxed) > 0) returned_.notify_all();
      return;
    }
  }
  {
    const Session closing = std::move(session);  // closed before its place is given away
  }
  MutexLock lock(mu_);
  --open_;
  returned_.notify_all();
}

void SessionPool::Enter(State state) {
  {
    MutexLock lock(mu_);
    state_ = state;
    if (state == State::kShut) {
      shut_since_ = std::chrono::steady_clock::now();
      epoch_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  returned_.notify_all();
}

void SessionPool::Shut() { Enter(State::kShut); }
void SessionPool::Reopen() { Enter(State::kLending); }
void SessionPool::Fail() { Enter(State::kFailed); }

bool SessionPool::AwaitReturned(SteadyTime give_up) {
  MutexLock lock(mu_);
  waiting_.fetch_add(1, std::memory_order_relaxed);
  while (open_ > idle_.size()) {
    if (returned_.wait_until(mu_, give_up) == std::cv_status::timeout) break;
  }
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  return open_ == idle_.size();
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
  {
    MutexLock lock(mu_);
    open_ -= closed;
    state_ = State::kLending;
  }
  returned_.notify_all();
}

void SessionPool::Forget() {
  MutexLock lock(mu_);
  for (Session& session : idle_) session.Forget();
  open_ -= idle_.size();
  idle_.clear();
}

std::size_t SessionPool::open_sessions() const {
  MutexLock lock(mu_);
  return open_;
}

std::size_t SessionPool::budget() const {
  MutexLock lock(mu_);
  return budget_;
}

}  // namespace hallmark::pkcs11
