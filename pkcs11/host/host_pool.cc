#include "pkcs11/host/host_pool.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

namespace hallmark::pkcs11::host {
namespace {

using std::chrono::milliseconds;

// After a failure, and at most after many in a row.
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5'000};
// A host that ends sooner than this after its start counts as one that failed to start.
constexpr std::chrono::seconds kSoon{1};
// What a host has for loading its module, logging in and scanning its keys.
constexpr std::chrono::seconds kStartLimit{60};
// How long Open waits for the other hosts once one serves.
constexpr std::chrono::seconds kOthersWait{10};
// A token that does not answer one host although it answers another: that host is started anew.
constexpr std::chrono::seconds kOutLimit{10};
// A host whose oldest MAC has been under way for this long may hang: others are preferred.
constexpr milliseconds kSuspicious{50};
// Requests are looked at so many times within the time after which a host is given up.
constexpr int kLooks = 8;
// What processes have to end by themselves when the pool stops.
constexpr std::chrono::seconds kStopWait{1};

SteadyTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

HostPool::HostPool(const TokenOptions& options, const TokenRecord& anchor, EventSink events)
    : options_(options),
      anchor_(anchor),
      program_(ProgramOf(options)),
      slots_(options.hosts),
      events_(std::move(events)) {}

Result<std::shared_ptr<HostPool>, OpenError> HostPool::Open(const TokenOptions& options,
                                                            const TokenRecord& anchor,
                                                            EventSink events) {
  std::shared_ptr<HostPool> pool(new HostPool(options, anchor, std::move(events)));
  // All hosts are started by this thread: the system kills them with the thread that did.
  pool->supervisor_ = std::jthread([raw = pool.get()] { raw->Supervise(); });
  HALLMARK_RETURN_IF_ERROR(pool->AwaitHosts());
  return pool;
}

Result<void, OpenError> HostPool::AwaitHosts() {
  MutexLock lock(mu_);
  while (!opened_ && !failure_) changed_.wait(mu_);
  if (!opened_) return Unexpected(*failure_);
  const SteadyTime give_up = Now() + kOthersWait;
  const auto settled = [](const Slot& slot) {
    return slot.tried && (slot.link == nullptr || slot.link->ready());
  };
  while (!std::all_of(slots_.begin(), slots_.end(), settled)) {
    if (changed_.wait_until(mu_, give_up) == std::cv_status::timeout) break;
  }
  return {};
}

void HostPool::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    news_ = true;
  }
  changed_.notify_all();
  if (supervisor_.joinable()) supervisor_.join();
  MutexLock lock(events_mu_);
  events_ = nullptr;
}

SecretBytes HostPool::TakeSealingKey() {
  MutexLock lock(mu_);
  return std::move(sealing_key_);
}

std::shared_ptr<Link> HostPool::Pick(const Link* avoided) const {
  const SteadyTime suspicious = Now() - kSuspicious;
  std::shared_ptr<Link> best;
  std::pair<bool, std::size_t> best_rank;
  MutexLock lock(mu_);
  for (const Slot& slot : slots_) {
    if (slot.link == nullptr || slot.link.get() == avoided || !slot.link->available()) continue;
    const std::pair<bool, std::size_t> rank{slot.link->oldest_mac() < suspicious,
                                            slot.link->load()};
    if (best == nullptr || rank < best_rank) {
      best = slot.link;
      best_rank = rank;
    }
  }
  return best;
}

std::shared_ptr<Link> HostPool::Await(SteadyTime deadline, const Link* avoided) {
  for (;;) {
    if (std::shared_ptr<Link> link = Pick(avoided)) return link;
    MutexLock lock(mu_);
    if (stopping_ || Now() >= deadline) return nullptr;
    // Not every change is told: a token that answers again shows in its host alone.
    changed_.wait_until(mu_, std::min(deadline, Now() + milliseconds{20}));
  }
}

std::shared_ptr<Link> HostPool::PickFor(const CkaId& id) const {
  for (const std::shared_ptr<Link>& link : Links()) {
    if (!link->lost() && link->IsChanging(id)) return link;
  }
  return Pick();
}

std::vector<std::shared_ptr<Link>> HostPool::Links() const {
  std::vector<std::shared_ptr<Link>> links;
  MutexLock lock(mu_);
  for (const Slot& slot : slots_) {
    if (slot.link != nullptr) links.push_back(slot.link);
  }
  return links;
}

TokenHosts HostPool::counts() const {
  TokenHosts counts;
  for (const std::shared_ptr<Link>& link : Links()) {
    if (link->ready() && !link->lost()) ++counts.alive;
  }
  MutexLock lock(mu_);
  counts.replacements = replacements_;
  return counts;
}

std::size_t HostPool::open_sessions() const {
  std::size_t sessions = 0;
  for (const std::shared_ptr<Link>& link : Links()) {
    if (link->available()) sessions += link->state().open_sessions;
  }
  return sessions;
}

std::size_t HostPool::session_budget() const {
  std::size_t sessions = 0;
  for (const std::shared_ptr<Link>& link : Links()) {
    if (link->available()) sessions += link->state().session_budget;
  }
  return sessions;
}

RecoveryCounts HostPool::recoveries() const {
  RecoveryCounts counts;
  MutexLock lock(mu_);
  for (const Slot& slot : slots_) {
    if (slot.link != nullptr) counts += slot.link->state().recoveries;
  }
  counts += past_recoveries_;
  return counts;
}

void HostPool::Remember(const std::vector<Bytes>& keys) {
  std::set<Bytes> remembered(keys.begin(), keys.end());
  MutexLock lock(mu_);
  keys_.swap(remembered);
}

std::vector<Bytes> HostPool::RememberedKeys() const {
  MutexLock lock(mu_);
  return {keys_.begin(), keys_.end()};
}

void HostPool::OnReady(Link& /*link*/, Ready& ready) {
  {
    MutexLock lock(mu_);
    workers_.store(ready.workers);
    if (!ready.sealing_key.empty()) sealing_key_ = SecretBytes(ready.sealing_key);
    opened_ = true;
    told_.clear();
    news_ = true;
  }
  Wipe(ready.sealing_key);
  changed_.notify_all();
}

void HostPool::OnCannotOpen(Link& /*link*/, const CannotOpen& failure) {
  bool is_news = false;
  {
    MutexLock lock(mu_);
    failure_ = OpenError{failure.failure, failure.message};
    // The first one is told by Open. One that lasts is told once.
    is_news = opened_ && std::exchange(told_, failure.message) != failure.message;
  }
  if (is_news) Notify(Severity::kAlarm, failure.message);
}

void HostPool::OnEvent(const Event& event) { Notify(event.severity, event.text); }

void HostPool::Notify(Severity severity, const std::string& text) {
  MutexLock lock(events_mu_);
  if (events_) events_(severity, text);
}

void HostPool::OnKeyChanged(const Link& link, const KeyChanged& change) {
  const Bytes id(change.cka_id.begin(), change.cka_id.end());
  {
    MutexLock lock(mu_);
    if (change.exists) {
      keys_.insert(id);
    } else {
      keys_.erase(id);
    }
  }
  for (const std::shared_ptr<Link>& other : Links()) {
    if (other.get() != &link) other->Tell(change);
  }
}

void HostPool::OnLost(Link& /*link*/) {
  {
    MutexLock lock(mu_);
    news_ = true;
  }
  changed_.notify_all();
}

void HostPool::Supervise() {
  for (;;) {
    {
      MutexLock lock(mu_);
      if (stopping_) break;
      news_ = false;
    }
    const SteadyTime now = Now();
    Retire(now);
    KillHanging(now);
    StartMissing(now);
    Reap();
    Rest(now);
  }
  for (const std::shared_ptr<Link>& link : Links()) ending_.push_back(link);
  for (const std::shared_ptr<Link>& link : ending_) {
    link->Kill("");
    link->Join();
  }
  const SteadyTime give_up = Now() + kStopWait;
  for (Reap(); !ending_.empty() && Now() < give_up; Reap()) {
    std::this_thread::sleep_for(milliseconds{2});
  }
}

void HostPool::PutOff(Slot& slot, SteadyTime now) {
  const int doublings = std::min(slot.failures++, 16);
  slot.next_start = now + std::min(kLongestPause, kFirstPause * (1 << doublings));
}

void HostPool::Retire(SteadyTime now) {
  for (const std::shared_ptr<Link>& link : Links()) {
    if (!link->lost()) continue;
    link->Join();
    const bool served = link->ready();
    {
      MutexLock lock(mu_);
      for (Slot& slot : slots_) {
        if (slot.link != link) continue;
        slot.link = nullptr;
        if (served && now - link->started() >= kSoon) {
          slot.failures = 0;
          slot.next_start = now;
        } else {
          PutOff(slot, now);
        }
      }
      if (served) ++replacements_;
      past_recoveries_ += link->state().recoveries;
      if (!opened_ && !failure_) {
        failure_ = OpenError{OpenFailure::kTokenError,
                             "the token host " + program_.string() +
                                 " ended before it had opened token " + options_.token_id +
                                 ": see what it or its module wrote to standard error"};
      }
    }
    changed_.notify_all();
    if (served) {
      const std::string why = link->why_killed();
      Notify(Severity::kWarning, "token " + options_.token_id + ": the host with process id " +
                                     std::to_string(link->pid()) +
                                     (why.empty() ? " ended" : " was killed (" + why + ")") +
                                     " and is replaced");
    }
    ending_.push_back(link);
  }
}

void HostPool::KillHanging(SteadyTime now) {
  for (const std::shared_ptr<Link>& link : Links()) {
    if (link->lost()) continue;
    if (link->HasOverdue(now)) {
      link->Kill("a call did not come back");
    } else if (!link->ready() && now - link->started() > kStartLimit) {
      link->Kill("it did not get ready");
    } else if (link->ready() && !link->available() && Pick() != nullptr &&
               now > link->out_since() && now - link->out_since() > kOutLimit) {
      link->Kill("the token answers other hosts, but not this one");
    }
  }
}

void HostPool::StartMissing(SteadyTime now) {
  for (std::size_t i = 0; i < options_.hosts; ++i) {
    {
      MutexLock lock(mu_);
      // One alone, until it has shown that the token can be opened.
      if (slots_[i].link != nullptr || now < slots_[i].next_start) continue;
      if (!opened_ && (i > 0 || slots_[i].tried)) continue;
    }
    Start(i);
  }
}

void HostPool::Start(std::size_t slot) {
  Result<std::shared_ptr<Link>, std::string> link =
      Link::Start(program_, options_.host_hang_limit, *this);
  Hello hello;
  hello.parent = static_cast<std::uint64_t>(::getpid());
  hello.token = options_;
  if (!options_.host_directory.empty()) hello.token.state_directory = options_.host_directory;
  hello.anchor = anchor_;
  {
    MutexLock lock(mu_);
    slots_[slot].tried = true;
    if (link.has_value()) {
      // In its slot before it is greeted: from then on it must hear of keys that come and go.
      slots_[slot].link = *link;
    } else {
      PutOff(slots_[slot], Now());
      failure_ = OpenError{OpenFailure::kConfiguration, link.error()};
    }
    hello.wants_sealing_key = !opened_;
  }
  if (link.has_value()) {
    (*link)->Greet(hello);
  } else {
    Notify(Severity::kAlarm, link.error());
  }
  changed_.notify_all();
}

void HostPool::Reap() {
  std::erase_if(ending_, [](const std::shared_ptr<Link>& link) { return link->Reap(); });
}

void HostPool::Rest(SteadyTime now) {
  SteadyTime until = now + std::max(milliseconds{5}, options_.host_hang_limit / kLooks);
  MutexLock lock(mu_);
  for (const Slot& slot : slots_) {
    if (slot.link == nullptr && opened_) until = std::min(until, slot.next_start);
  }
  if (!ending_.empty()) until = std::min(until, now + milliseconds{20});
  while (!news_ && changed_.wait_until(mu_, until) != std::cv_status::timeout) {
  }
}

}  // namespace hallmark::pkcs11::host
