// Ends keys whose waiting period is over.
#pragma once

#include "keystate/client_tokens.h"
#include "keystate/clock.h"
#include "keystate/key_directory.h"
#include "keystate/key_store.h"
#include "keystate/last_usage.h"
#include "keystate/mutex.h"
#include "keystate/result.h"
#include "keystate/token_set.h"
#include "service/app/audit.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::app {

// A key is destroyed only if its waiting period was really lived through. The sweeper stores the
// highest time that it has seen, and compares the wall clock with it and with the steady clock: a
// jump of more than an hour, in either direction, halts it until an operator has looked at the
// clock. A daemon that was down for longer is a jump, too; what the clock does in shorter stops is
// not seen, each up to an hour.
//
// A key ends in this order: bindings durable as `destroying`, names, tags and grants removed with
// them → withdrawn from memory → destroyed on its tokens → records removed. From the first step on
// the key does not exist for any caller; a crash or a token that is out leaves it to the next
// sweep.
//
// No key ends that could not be recorded.
//
// Thread-safety: Sweep belongs to one thread; the other methods may be called from any thread.
class DeletionSweeper {
 public:
  struct Parts {
    KeyDirectory& keys;
    ClientTokens& client_tokens;
    LastUsage& last_usage;
    KeyStore& store;
    TokenSet& tokens;
    const Clock& clock;
    // Null: nothing is recorded.
    AuditSink* audit = nullptr;
  };

  enum class Event {
    kDestroyed,  // a key has ended
    kWaiting,    // something could not be done and will be tried again
    kHalted,     // time has jumped
    kResumed,
  };
  // Told of every event, one line each.
  using Listener = std::function<void(Event event, const std::string& text)>;

  struct State {
    bool halted = false;
    WallTime time_seen{};
    // Keys past their date, and keys that have ended but are not destroyed yet.
    std::size_t due = 0;
    std::size_t being_destroyed = 0;
  };

  // The parts outlive the sweeper. `image` tells what an earlier run has seen and left.
  DeletionSweeper(const Parts& parts, const StoreImage& image, Listener listener);

  // Looks at the clock, then ends what is due; begins with no other key once a stop is requested.
  // To be called about once a minute.
  void Sweep(const std::stop_token& stop) HALLMARK_EXCLUDES(mu_);

  State state() const HALLMARK_EXCLUDES(mu_);
  // The highest time that any run has seen.
  WallTime time_seen() const HALLMARK_EXCLUDES(mu_);

  // The operator vouches for the clock: time goes on from what it shows now.
  //
  // Errors: what the store answers; the sweeper is still halted then.
  Status Resume() HALLMARK_EXCLUDES(mu_);

 private:
  // A pair of times that belong together.
  struct Baseline {
    WallTime wall;
    SteadyTime steady;
  };

  // Whether time went on as it should; halts otherwise.
  bool TimeIsPlausible(WallTime now) HALLMARK_EXCLUDES(mu_);
  // Stores the record, then takes over both as one.
  Status Write(SweeperRecord next, const std::optional<Baseline>& baseline) HALLMARK_EXCLUDES(mu_);
  void Condemn(const KeyViewPtr& view) HALLMARK_EXCLUDES(mu_);
  // What one sweep has found out: a token that does not answer would cost its limit for each key.
  struct Obstacles {
    std::set<std::string> tokens;
    bool store = false;

    bool AreInTheWayOf(const KeyView& key) const;
  };
  // Destroys the key's objects and removes its records; what keeps it from that is added.
  void Destroy(const KeyView& key, Obstacles& obstacles);
  // All that have ended, but for those that an obstacle is in the way of.
  void DestroyCondemned(const std::stop_token& stop, Obstacles& obstacles) HALLMARK_EXCLUDES(mu_);

  const Parts parts_;
  const Listener listener_;
  // Ended but not destroyed; touched by the sweeping thread only, which tells their number below.
  std::vector<KeyView> condemned_;

  mutable Mutex mu_;
  SweeperRecord record_ HALLMARK_GUARDED_BY(mu_);
  // Where this run began to watch, or resumed; empty before the first sweep. It stays, so that many
  // small steps of the clock are seen as the large one that they are.
  std::optional<Baseline> baseline_ HALLMARK_GUARDED_BY(mu_);
  std::size_t being_destroyed_ HALLMARK_GUARDED_BY(mu_) = 0;
};

}  // namespace hallmark::app
