// Threads that take work from one source.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace hallmark::net {

// A thread that does not come back from its work, because a token or a disk hangs, is replaced
// within some milliseconds: those who wait for the source do not notice.
//
// Thread-safety: ShutDown once, from any thread but the crew's.
class Crew {
  struct State;

 public:
  // A thread's own place, on a cache line of its own.
  class alignas(64) Desk {
   public:
    explicit Desk(State& state) : state_(state) {}

    // Around what may be held up, on the desk's own thread.
    void Begin();
    void End() { turns_.fetch_add(1); }

   private:
    friend struct State;

    State& state_;
    // Goes up when work begins, and when it ends: odd means at work.
    std::atomic<std::uint64_t> turns_{0};
    std::atomic<bool> held_up_{false};
    std::uint64_t seen_ = 0;  // of the watch alone
    bool taken_ = false;      // guarded by the state's mutex
  };

  // Waits for a piece of work and does it; false when there will be none any more. Does not throw.
  // Lives as long as any thread, of which one may be left behind.
  using Serve = std::function<bool(Desk&)>;

  explicit Crew(Serve serve);
  // After ShutDown. Threads that are held up until the end are left behind; they must never come
  // back then.
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Returns when every thread has found that there is no more work, but for those that are held up.
  void ShutDown();

 private:
  const std::shared_ptr<State> state_;
  std::jthread watch_;
};

}  // namespace hallmark::net
