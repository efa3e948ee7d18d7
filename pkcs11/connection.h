// A token in use: logged in, proven by its anchor, scanned, and brought back when it was out.
#pragma once

#include "keystate/clock.h"
#include "keystate/hsm.h"
#include "keystate/mutex.h"
#include "keystate/secret.h"
#include "pkcs11/ckr.h"
#include "pkcs11/key_handles.h"
#include "pkcs11/mechanisms.h"
#include "pkcs11/options.h"
#include "pkcs11/session_pool.h"
#include "pkcs11/token_access.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace hallmark::pkcs11 {

// Sessions beside those of the workers, for making and destroying keys, which must not wait for
// MACs.
inline constexpr std::size_t kControlSessions = 2;

// What a failed call says about its token, by how much must be done about it.
enum class Trouble {
  kSession,  // one session is lost; perhaps the one that keeps the login, too
  kLogin,    // the login or the handles are gone
  kDevice,   // the token itself
};

// Shared by the Hsm and the threads that call the token, since those may outlive the Hsm.
//
// All recovery is the work of one thread, which runs RunKeeper; others report what they met, and
// wait for it. Meanwhile nobody is inside the token but for calls that do not come back.
//
// Thread-safety: every method may be called from any thread.
class Connection final : public ModuleUser {
 public:
  // Errors: as pkcs11::Open.
  static Result<std::shared_ptr<Connection>, OpenError> Open(const TokenOptions& options,
                                                             const TokenRecord& anchor,
                                                             RandomSource& random,
                                                             EventSink events);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override;

  const TokenOptions& options() const { return options_; }
  const std::string& token_id() const { return options_.token_id; }
  const CkaId& anchor_id() const { return anchor_.anchor_cka_id; }
  const Mechanisms& mechanisms() const { return mechanisms_; }
  // How many threads may compute MACs at once.
  std::size_t workers() const { return workers_; }
  SessionPool& pool() { return *pool_; }
  KeyHandles& handles() { return handles_; }

  // False while the token is out, and while bringing it back takes longer than callers wait.
  bool available() const;
  RecoveryCounts recoveries() const;
  void CountReplacedSession() { replaced_sessions_.fetch_add(1, std::memory_order_relaxed); }

  // The tag of a text under the anchor, as a secret. Called before RunKeeper.
  Result<SecretBytes, OpenError> DeriveSecret(std::string_view text);

  // A call made under `generation` (of the handles) met trouble. Returns when it is mended, or was
  // since; waits for that until `deadline` and no longer than two seconds.
  // Errors: it could not be mended, and the token is out; or not in time.
  Result<void, OpenError> Mend(Trouble trouble, const std::string& reason, std::uint64_t generation,
                               SteadyTime deadline) HALLMARK_EXCLUDES(mu_);

  // Mends what is reported and brings the token back while it is out; returns after StopKeeper.
  void RunKeeper() HALLMARK_EXCLUDES(mu_);
  void StopKeeper() HALLMARK_EXCLUDES(mu_);

  void Notify(Severity severity, const std::string& text) HALLMARK_EXCLUDES(events_mu_);
  // No event is delivered after this has returned.
  void Silence() HALLMARK_EXCLUDES(events_mu_);

  bool serving() const override HALLMARK_EXCLUDES(mu_);
  bool StandAside(SteadyTime give_up) override HALLMARK_EXCLUDES(mu_);
  void StepBack(bool anew) override HALLMARK_EXCLUDES(mu_);

 private:
  Connection(const TokenOptions& options, const TokenRecord& anchor, TokenAccess access,
             EventSink events);

  struct Report {
    Trouble trouble;
    std::uint64_t generation;
    std::string reason;
  };

  // Waits for something to do. Nothing: the keeper ends.
  std::optional<Report> NextReport() HALLMARK_EXCLUDES(mu_);
  // Tells those who wait, and ends the turn.
  void Conclude(const Report& report, Result<void, OpenError> mended) HALLMARK_EXCLUDES(mu_);
  void EndTurn() HALLMARK_EXCLUDES(mu_);
  // Another token initialises the module: lets it, and takes up the report again afterwards.
  void Defer(const Report& report) HALLMARK_EXCLUDES(mu_);
  // The rest is called by the holder of the turn.
  Result<void, OpenError> MendNow(Trouble trouble);
  // Does as little as it can: looks whether the login is there, logs in and scans, opens a new
  // session for that, initialises the module again.
  Result<void, OpenError> Climb(Trouble trouble);
  Result<void, OpenError> Connect();
  Result<CK_OBJECT_HANDLE, OpenError> ProveAnchor(Session& session) const;
  void SizePool(const CK_TOKEN_INFO& info);
  // The module was finalised.
  void ForgetSessions();

  const TokenOptions options_;
  const TokenRecord anchor_;
  const TokenAccess access_;
  Mechanisms mechanisms_;
  std::size_t workers_ = 0;
  KeyHandles handles_;

  // INVARIANT: touched only by the holder of the turn, so that no lock is held across token calls.
  // Declared before the pool: the session that keeps the login is closed last.
  std::optional<EnteredToken> entered_;
  std::unique_ptr<SessionPool> pool_;
  // Climb found another token of the module climbing.
  bool deferred_ = false;

  // The token counts as out from this time on: never, always, or once callers have lost patience
  // with a repair under way, of which only a clock can tell that it hangs.
  std::atomic<SteadyTime::rep> out_from_{SteadyTime::max().time_since_epoch().count()};
  std::atomic<std::uint64_t> replaced_sessions_{0};
  std::atomic<std::uint64_t> renewals_{0};
  std::atomic<std::uint64_t> repairs_{0};
  std::atomic<std::uint64_t> reinitialisations_{0};
  std::atomic<std::uint64_t> outages_{0};

  mutable Mutex mu_;
  ConditionVariable changed_;
  // Somebody recovers the token, or keeps it out of its module.
  bool turn_taken_ HALLMARK_GUARDED_BY(mu_) = false;
  bool open_ HALLMARK_GUARDED_BY(mu_) = false;  // Open has succeeded
  bool out_ HALLMARK_GUARDED_BY(mu_) = false;
  bool stopping_ HALLMARK_GUARDED_BY(mu_) = false;
  // The worst that was reported and not yet looked at.
  std::optional<Report> reported_ HALLMARK_GUARDED_BY(mu_);
  std::uint64_t reports_ HALLMARK_GUARDED_BY(mu_) = 0;
  // Of these the keeper knew when it took its turn: what is reported while it is at work may have
  // happened after it looked.
  std::uint64_t taken_reports_ HALLMARK_GUARDED_BY(mu_) = 0;
  std::uint64_t answered_reports_ HALLMARK_GUARDED_BY(mu_) = 0;
  Result<void, OpenError> last_answer_ HALLMARK_GUARDED_BY(mu_);
  SteadyTime next_attempt_ HALLMARK_GUARDED_BY(mu_){};
  std::chrono::milliseconds retry_after_ HALLMARK_GUARDED_BY(mu_){};

  Mutex events_mu_;
  EventSink events_ HALLMARK_GUARDED_BY(events_mu_);
};

}  // namespace hallmark::pkcs11
