#include "service/grpc/call_queue.h"

#include "keystate/mutex.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <stop_token>
#include <utility>

namespace hallmark::grpc_front {
namespace {

// How often it is looked whether a thread is held up. One that is at the same completion at two
// looks in a row is.
constexpr std::chrono::milliseconds kLook{10};
// Looks without any work after which nobody looks until there is some again.
constexpr int kQuietLooks = 100;
// What the destructor gives threads that have just come back from a token to leave.
constexpr std::chrono::seconds kLeaveWait{1};
// Beyond this, threads wait for each other more than they work.
constexpr std::size_t kMostThreads = 16;

}  // namespace

// What the threads use; owned by each of them, since one may be left behind.
struct CallQueue::State : std::enable_shared_from_this<State> {
  // A thread's own place, on a cache line of its own.
  struct alignas(64) Desk {
    // Goes up when a completion begins, and when it ends: odd means at work.
    std::atomic<std::uint64_t> turns{0};
    std::atomic<bool> held_up{false};
    std::uint64_t seen = 0;  // of the watch alone
    bool taken = false;      // guarded by `mu`, which an aggregate's member cannot name
  };

  explicit State(std::unique_ptr<grpc::ServerCompletionQueue> with) : queue(std::move(with)) {}

  void AddThread() HALLMARK_REQUIRES(mu);
  // The thread of the desk is about to end.
  void Leave(Desk& desk) HALLMARK_REQUIRES(mu);
  void Serve(Desk& desk) HALLMARK_EXCLUDES(mu);
  // The thread is back at work; false if there are more than enough by now.
  bool Return(Desk& desk) HALLMARK_EXCLUDES(mu);
  void Watch(const std::stop_token& stop) HALLMARK_EXCLUDES(mu);
  // Replaces who is held up; true if anybody has worked since the last look.
  bool Look() HALLMARK_REQUIRES(mu);

  const std::unique_ptr<grpc::ServerCompletionQueue> queue;
  const std::size_t wanted_threads =
      std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, kMostThreads);
  std::atomic<bool> unwatched{false};

  Mutex mu;
  ConditionVariable changed;
  std::deque<Desk> desks HALLMARK_GUARDED_BY(mu);  // never moves them
  std::size_t threads HALLMARK_GUARDED_BY(mu) = 0;
  std::size_t held_up HALLMARK_GUARDED_BY(mu) = 0;
};

void CallQueue::State::AddThread() {
  const auto left =
      std::find_if(desks.begin(), desks.end(), [](const Desk& d) { return !d.taken; });
  Desk& desk = left != desks.end() ? *left : desks.emplace_back();
  // Detached and counted, not joined: one that hangs in a token for ever cannot be joined.
  std::thread([self = shared_from_this(), &desk] { self->Serve(desk); }).detach();
  desk.taken = true;
  ++threads;
}

void CallQueue::State::Leave(Desk& desk) {
  if (desk.held_up.exchange(false, std::memory_order_relaxed)) --held_up;
  desk.taken = false;
  --threads;
  changed.notify_all();
}

void CallQueue::State::Serve(Desk& desk) {
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
    desk.turns.fetch_add(1);
    if (unwatched.load()) {
      MutexLock lock(mu);
      unwatched.store(false);
      changed.notify_all();
    }
    static_cast<Completion*>(tag)->Complete(ok);
    desk.turns.fetch_add(1);
    if (desk.held_up.load(std::memory_order_relaxed) && !Return(desk)) return;
  }
  MutexLock lock(mu);
  Leave(desk);
}

bool CallQueue::State::Return(Desk& desk) {
  MutexLock lock(mu);
  if (desk.held_up.exchange(false, std::memory_order_relaxed)) --held_up;
  // Some stay: on a busy machine threads look held up that are only not scheduled.
  if (threads - held_up <= 2 * wanted_threads) return true;
  Leave(desk);
  return false;
}

bool CallQueue::State::Look() {
  bool worked = false;
  for (Desk& desk : desks) {
    const std::uint64_t turns = desk.turns.load();
    const bool same = turns == std::exchange(desk.seen, turns);
    const bool at_work = turns % 2 == 1;
    worked = worked || !same || at_work;
    if (!same || !at_work || desk.held_up.load(std::memory_order_relaxed)) continue;
    desk.held_up.store(true, std::memory_order_relaxed);
    ++held_up;
  }
  try {
    while (threads - held_up < wanted_threads) AddThread();
  } catch (const std::exception&) {
    // No memory or no more threads: the next look tries again.
  }
  return worked;
}

void CallQueue::State::Watch(const std::stop_token& stop) {
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

CallQueue::CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : state_(std::make_shared<State>(std::move(queue))) {
  {
    MutexLock lock(state_->mu);
    while (state_->threads < state_->wanted_threads) state_->AddThread();
  }
  watch_ = std::jthread([this](const std::stop_token& stop) { state_->Watch(stop); });
}

CallQueue::~CallQueue() {
  if (!shut_down_) ShutDown();
  watch_ = {};
  const auto give_up = std::chrono::steady_clock::now() + kLeaveWait;
  MutexLock lock(state_->mu);
  while (state_->threads > 0) {
    if (state_->changed.wait_until(state_->mu, give_up) == std::cv_status::timeout) break;
  }
}

grpc::ServerCompletionQueue& CallQueue::queue() { return *state_->queue; }

void CallQueue::ShutDown() {
  shut_down_ = true;
  state_->queue->Shutdown();
  MutexLock lock(state_->mu);
  // The watch goes on: it says of a thread that it is held up, and no longer waited for.
  while (state_->threads > state_->held_up) state_->changed.wait(state_->mu);
}

}  // namespace hallmark::grpc_front
