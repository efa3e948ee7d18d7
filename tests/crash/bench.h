// A daemon that is killed and started again, on a token that it shares with others.
#pragma once

#include "tests/crash/kill_points.h"
#include "tests/crash/token_view.h"
#include "tests/crash/world.h"
#include "tests/daemon/calls.h"
#include "tests/support/test_daemon.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <string>

namespace hallmark::testing {

// How a call ends whose daemon does.
inline const Outcome kLost{grpc::StatusCode::UNAVAILABLE, "", "it has ended", std::nullopt};
// Whether the call ended because the daemon did, without an answer.
inline bool IsLost(const Outcome& outcome) {
  return outcome.code == grpc::StatusCode::UNAVAILABLE && outcome.exception.empty();
}

// What is on the token beside the objects that records name.
struct Leftovers {
  // Objects without CKA_ID and empty files: what a kill inside C_GenerateKey leaves on SoftHSM.
  std::size_t debris = 0;
  // Keys with a CKA_ID of ours that no record names.
  std::size_t orphans = 0;
};

class Bench {
 public:
  // With foreign objects on the token and the administrator as the only principal; it serves.
  Bench();

  TestDaemon& daemon() { return daemon_; }
  const KillControl& kills() const { return kills_; }
  // Valid until the next start.
  const Client& client() const { return client_; }
  Client Connect() const { return daemon_.Connect(client_.credentials); }

  // Starts with nothing armed.
  void Start();
  // Starts with what is armed; lost if it is killed before it serves and has done what it does at
  // first in the background.
  Outcome TryStart();
  // Asks it to end; lost if it is killed meanwhile.
  Outcome Stop();
  // Waits for the daemon to die by the armed kill.
  ::testing::AssertionResult Died();

  // Asks about everything. A MAC that differs from an earlier one of the same key is a failure of
  // the test at once.
  World Observe();
  // A number that was not given before. From any thread.
  int NewNumber() { return ++number_; }

  // SQL on the store, behind the daemon's back.
  void ChangeStore(const std::string& sql);
  // Whether the store still knows the key, shown to callers or not.
  bool HasRecordOf(const std::string& key_id) const;
  // Whether the store knows a key that is still being made.
  bool HasUnfinishedKey() const;
  // Whether the daemon has ended by itself.
  bool ended();

  // Whether token and store agree while the daemon serves: each binding is ready and names exactly
  // one object, and the foreign objects have the same bytes as ever. What else there is goes to
  // `leftovers`.
  ::testing::AssertionResult TokenIsSound(Leftovers* leftovers);

 private:
  bool Finds(const std::string& sql) const;
  // Whether the background work of this start has begun with its record.
  bool Swept();

  TestDaemon daemon_;
  KillControl kills_;
  Client client_;
  std::map<std::string, std::string> foreign_files_;
  std::size_t foreign_objects_ = 0;
  std::string last_sweep_;                   // of the latest start
  std::optional<int> exit_code_;             // once we have waited for the end
  std::map<std::string, std::string> macs_;  // by key id, as first seen
  std::atomic<int> number_ = 0;
};

}  // namespace hallmark::testing
