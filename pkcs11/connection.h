// A token in use: logged in, proven by its anchor, scanned, and brought back when it was out.
#pragma once

#include "keystate/clock.h"
#include "keystate/mutex.h"
#include "keystate/secret.h"
#include "pkcs11/ckr.h"
#include "pkcs11/key_handles.h"
#include "pkcs11/mechanisms.h"
#include "pkcs11/options.h"
#include "pkcs11/session_pool.h"
#include "pkcs11/token_access.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace hallmark::pkcs11 {

// Sessions beside those of the workers, for making and destroying keys, which must not wait for
// MACs.
inline constexpr std::size_t kControlSessions = 2;

// Shared by the Hsm and the threads that call the token, since those may outlive the Hsm.
//
// Thread-safety: every method may be called from any thread.
class Connection {
 public:
  // Errors: as pkcs11::Open.
  static Result<std::shared_ptr<Connection>, OpenError> Open(const TokenOptions& options,
                                                             const TokenRecord& anchor,
                                                             RandomSource& random,
                                                             EventSink events);

  const TokenOptions& options() const { return options_; }
  const std::string& token_id() const { return options_.token_id; }
  const CkaId& anchor_id() const { return anchor_.anchor_cka_id; }
  const Mechanisms& mechanisms() const { return mechanisms_; }
  // How many threads may compute MACs at once.
  std::size_t workers() const { return workers_; }
  SessionPool& pool() { return *pool_; }
  KeyHandles& handles() { return handles_; }

  bool available() const { return available_.load(std::memory_order_relaxed); }

  // The tag of a text under the anchor, as a secret.
  Result<SecretBytes, OpenError> DeriveSecret(std::string_view text);

  // Logs in again where needed, proves the token again and scans it, unless somebody did so since
  // `generation` (of the handles). On failure the token counts as out.
  Result<void, OpenError> Renew(std::uint64_t generation, SteadyTime deadline)
      HALLMARK_EXCLUDES(mu_);

  // After a session error: asks whether the session that keeps the login survived, without which
  // handles mean nothing, and renews as above if it did not.
  Result<void, OpenError> RenewIfLoginLost(std::uint64_t generation, SteadyTime deadline)
      HALLMARK_EXCLUDES(mu_);

  // The token failed a call made under `generation`: it is out until a probe succeeds.
  void ReportOut(const std::string& reason, std::uint64_t generation) HALLMARK_EXCLUDES(mu_);

  // Tries, while the token is out, to bring it back; returns after StopProbe.
  void RunProbe() HALLMARK_EXCLUDES(mu_);
  void StopProbe() HALLMARK_EXCLUDES(mu_);

  void Notify(Severity severity, const std::string& text) HALLMARK_EXCLUDES(events_mu_);
  // No event is delivered after this has returned.
  void Silence() HALLMARK_EXCLUDES(events_mu_);

 private:
  Connection(const TokenOptions& options, const TokenRecord& anchor, TokenAccess access,
             EventSink events);

  // What becomes of the session that keeps the login. kKeepIfAlive: nothing at all is done while it
  // is alive.
  enum class AnchorSession { kKeep, kKeepIfAlive, kReplace };
  // The steps of opening and of every recovery. Called by the holder of the turn.
  Result<void, OpenError> Connect(AnchorSession anchor_session);
  // Connect; an exception is a failure like any other.
  Result<void, OpenError> ConnectGuarded(AnchorSession anchor_session);
  Result<void, OpenError> TakeTurnAndConnect(std::uint64_t generation, AnchorSession anchor_session,
                                             SteadyTime deadline) HALLMARK_EXCLUDES(mu_);
  Result<void, OpenError> RenewWith(AnchorSession anchor_session, std::uint64_t generation,
                                    SteadyTime deadline) HALLMARK_EXCLUDES(mu_);
  Result<CK_OBJECT_HANDLE, OpenError> ProveAnchor(Session& session) const;
  void SizePool(const CK_TOKEN_INFO& info);

  const TokenOptions options_;
  const TokenRecord anchor_;
  const TokenAccess access_;
  Mechanisms mechanisms_;
  std::size_t workers_ = 0;
  KeyHandles handles_;
  std::atomic<bool> available_{true};

  // INVARIANT: touched only by the holder of the turn (`connecting_`), so that no lock is held
  // across token calls. Declared before the pool: the session that keeps the login is closed last.
  std::optional<EnteredToken> entered_;
  std::unique_ptr<SessionPool> pool_;

  Mutex mu_;
  ConditionVariable changed_;
  bool connecting_ HALLMARK_GUARDED_BY(mu_) = false;
  bool stopping_ HALLMARK_GUARDED_BY(mu_) = false;
  // So that a failure that lasts is told once.
  std::string last_failure_ HALLMARK_GUARDED_BY(mu_);

  Mutex events_mu_;
  EventSink events_ HALLMARK_GUARDED_BY(events_mu_);
};

}  // namespace hallmark::pkcs11
