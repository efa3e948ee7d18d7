#include "service/net/crew.h"

#include "keystate/mutex.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <stop_token>
#include <utility>

namespace hallmark::net {
namespace {

// How often it is looked whether a thread is held up. One that is at the same work at two looks in
// a row is.
constexpr std::chrono::milliseconds kLook{10};
// Looks without any work after which nobody looks until there is some again.
constexpr int kQuietLooks = 100;
// What the destructor gives threads that have just come back from a token to leave.
constexpr std::chrono::seconds kLeaveWait{1};
// Beyond this, threads wait for each other more than they work.
constexpr std::size_t kMostThreads = 16;

}  // namespace

// What the threads use; owned by each of them, since one may be left behind.
struct Crew::State : std::enable_shared_from_this<State> {
  explicit State(Serve with) : serve(std::move(with)) {}

  void AddThread() HALLMARK_REQUIRES(mu);
  // The thread of the desk is about to end.
  void Leave(Desk& desk) HALLMARK_REQUIRES(mu);
  void Run(Desk& desk) HALLMARK_EXCLUDES(mu);
  // The thread is back at work; false if there are more than enough by now.
  bool Return(Desk& desk) HALLMARK_EXCLUDES(mu);
  void Watch(const std::stop_token& stop) HALLMARK_EXCLUDES(mu);
  // Replaces who is held up; true if anybody has worked since the last look, or too few are there.
  bool Look() HALLMARK_REQUIRES(mu);

  const Serve serve;
  const std::size_t wanted_threads =
      std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, kMostThreads);
  std::atomic<bool> unwatched{false};

  Mutex mu;
  ConditionVariable changed;
  std::deque<Desk> desks HALLMARK_GUARDED_BY(mu);  // never moves them
  std::size_t threads HALLMARK_GUARDED_BY(mu) = 0;
  std::size_t held_up HALLMARK_GUARDED_BY(mu) = 0;
};

void Crew::Desk::Begin() {
  turns_.fetch_add(1);
  if (!state_.unwatched.load()) return;
  MutexLock lock(state_.mu);
  state_.unwatched.store(false);
  state_.changed.notify_all();
}

void Crew::State::AddThread() {
  const auto left =
      std::find_if(desks.begin(), desks.end(), [](const Desk& d) { return !d.taken_; });
  Desk& desk = left != desks.end() ? *left : desks.emplace_back(*this);
  // Detached and counted, not joined: one that hangs in a token for ever cannot be joined.
  std::thread([self = shared_from_this(), &desk] { self->Run(desk); }).detach();
  desk.taken_ = true;
  ++threads;
}

void Crew::State::Leave(Desk& desk) {
  if (desk.held_up_.exchange(false, std::memory_order_relaxed)) --held_up;
  desk.taken_ = false;
  --threads;
  changed.notify_all();
}

void Crew::State::Run(Desk& desk) {
  while (serve(desk)) {
    if (desk.held_up_.load(std::memory_order_relaxed) && !Return(desk)) return;
  }
  MutexLock lock(mu);
  Leave(desk);
}

bool Crew::State::Return(Desk& desk) {
  MutexLock lock(mu);
  if (desk.held_up_.exchange(false, std::memory_order_relaxed)) --held_up;
  // Some stay: on a busy machine threads look held up that are only not scheduled.
  if (threads - held_up <= 2 * wanted_threads) return true;
  Leave(desk);
  return false;
}

bool Crew::State::Look() {
  bool worked = false;
  for (Desk& desk : desks) {
    const std::uint64_t turns = desk.turns_.load();
    const bool same = turns == std::exchange(desk.seen_, turns);
    const bool at_work = turns % 2 == 1;
    worked = worked || !same || at_work;
    if (!same || !at_work || desk.held_up_.load(std::memory_order_relaxed)) continue;
    desk.held_up_.store(true, std::memory_order_relaxed);
    ++held_up;
  }
  try {
    while (threads - held_up < wanted_threads) AddThread();
  } catch (const std::exception&) {
    // No memory or no more threads: the next look tries again.
  }
  return worked || threads - held_up < wanted_threads;
}

void Crew::State::Watch(const std::stop_token& stop) {
  int quiet = 0;
  MutexLock lock(mu);
  while (!stop.stop_requested()) {
    changed.wait_for(mu, stop, kLook, [] { return false; });
    quiet = Look() ? 0 : quiet + 1;
    if (quiet < kQuietLooks) continue;
    unwatched.store(true);
    // Whoever began before that is seen now; whoever begins later sees the flag.
    if (!Look()) changed.wait(mu, stop, [this] { return !unwatched.load(); });
    unwatched.store(false);
    quiet = 0;
  }
}

Crew::Crew(Serve serve) : state_(std::make_shared<State>(std::move(serve))) {
  watch_ = std::jthread([this](const std::stop_token& stop) { state_->Watch(stop); });
  MutexLock lock(state_->mu);
  // What was begun cannot be taken back, so one thread is enough: the watch adds those that could
  // not be had.
  if (state_->threads == 0) state_->AddThread();
  static_cast<void>(state_->Look());
}

Crew::~Crew() {
  watch_ = {};
  const auto give_up = std::chrono::steady_clock::now() + kLeaveWait;
  MutexLock lock(state_->mu);
  while (state_->threads > 0) {
    if (state_->changed.wait_until(state_->mu, give_up) == std::cv_status::timeout) break;
  }
}

void Crew::ShutDown() {
  MutexLock lock(state_->mu);
  // The watch goes on: it says of a thread that it is held up, and no longer waited for.
  while (state_->threads > state_->held_up) state_->changed.wait(state_->mu);
}

}  // namespace hallmark::net
