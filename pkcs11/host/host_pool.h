// The hosts of one token: who is asked, and who takes the place of one that is lost.
#pragma once

#include "keystate/clock.h"
#include "keystate/hsm.h"
#include "keystate/mutex.h"
#include "keystate/secret.h"
#include "pkcs11/host/link.h"
#include "pkcs11/options.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace hallmark::pkcs11::host {

// A thread of its own starts the hosts and replaces those that end, hang, or send nonsense: at
// once, or, after one that failed soon after its start, a while later.
//
// Thread-safety: every method may be called from any thread.
class HostPool final : private LinkListener {
 public:
  // Returns when the first host serves, and the others do or have failed.
  // Errors: as Open, of the first host.
  static Result<std::shared_ptr<HostPool>, OpenError> Open(const TokenOptions& options,
                                                           const TokenRecord& anchor,
                                                           EventSink events);
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;
  ~HostPool() override { Stop(); }

  // Ends every host; requests under way are answered, as lost. No event is delivered after this.
  void Stop() HALLMARK_EXCLUDES(mu_);

  const TokenOptions& options() const { return options_; }
  // MACs that one host computes at a time.
  std::size_t workers_per_host() const { return workers_.load(); }
  // Once, after Open.
  SecretBytes TakeSealingKey() HALLMARK_EXCLUDES(mu_);

  // A host whose token answers: the least loaded, if possible one that does not seem to hang, and
  // not `avoided`. Null: there is none.
  std::shared_ptr<Link> Pick(const Link* avoided = nullptr) const HALLMARK_EXCLUDES(mu_);
  // The same, but waits for one.
  std::shared_ptr<Link> Await(SteadyTime deadline, const Link* avoided) HALLMARK_EXCLUDES(mu_);
  // The host that is changing this key already: what undoes an operation must not overtake it.
  std::shared_ptr<Link> PickFor(const CkaId& id) const HALLMARK_EXCLUDES(mu_);

  bool available() const { return Pick() != nullptr; }
  TokenHosts counts() const HALLMARK_EXCLUDES(mu_);
  // Of all hosts that serve.
  std::size_t open_sessions() const HALLMARK_EXCLUDES(mu_);
  std::size_t session_budget() const HALLMARK_EXCLUDES(mu_);
  // By all hosts that ever were.
  RecoveryCounts recoveries() const HALLMARK_EXCLUDES(mu_);

  // The keys as a host last listed them, and what was made and destroyed since.
  void Remember(const std::vector<Bytes>& keys) HALLMARK_EXCLUDES(mu_);
  std::vector<Bytes> RememberedKeys() const HALLMARK_EXCLUDES(mu_);

 private:
  struct Slot {
    std::shared_ptr<Link> link;
    SteadyTime next_start{};
    // Of hosts that failed soon after their start, in a row.
    int failures = 0;
    bool tried = false;
  };

  HostPool(const TokenOptions& options, const TokenRecord& anchor, EventSink events);

  void OnReady(Link& link, Ready& ready) override HALLMARK_EXCLUDES(mu_);
  void OnCannotOpen(Link& link, const CannotOpen& failure) override HALLMARK_EXCLUDES(mu_);
  void OnEvent(const Event& event) override HALLMARK_EXCLUDES(events_mu_);
  void OnKeyChanged(const Link& link, const KeyChanged& change) override HALLMARK_EXCLUDES(mu_);
  void OnLost(Link& link) override HALLMARK_EXCLUDES(mu_);

  void Supervise() HALLMARK_EXCLUDES(mu_);
  // Takes lost hosts from their slots and tells of them.
  void Retire(SteadyTime now) HALLMARK_EXCLUDES(mu_);
  void KillHanging(SteadyTime now) HALLMARK_EXCLUDES(mu_);
  void StartMissing(SteadyTime now) HALLMARK_EXCLUDES(mu_);
  void Start(std::size_t slot) HALLMARK_EXCLUDES(mu_);
  void Reap();
  // Until something changes, or must be looked at.
  void Rest(SteadyTime now) HALLMARK_EXCLUDES(mu_);
  void PutOff(Slot& slot, SteadyTime now) HALLMARK_REQUIRES(mu_);
  Result<void, OpenError> AwaitHosts() HALLMARK_EXCLUDES(mu_);
  std::vector<std::shared_ptr<Link>> Links() const HALLMARK_EXCLUDES(mu_);
  void Notify(Severity severity, const std::string& text) HALLMARK_EXCLUDES(events_mu_);

  const TokenOptions options_;
  const TokenRecord anchor_;
  const std::filesystem::path program_;
  std::atomic<std::size_t> workers_{0};
  // Of the supervising thread alone.
  std::vector<std::shared_ptr<Link>> ending_;

  mutable Mutex mu_;
  ConditionVariable changed_;
  std::vector<Slot> slots_ HALLMARK_GUARDED_BY(mu_);
  std::uint64_t replacements_ HALLMARK_GUARDED_BY(mu_) = 0;
  // By hosts that are no more.
  RecoveryCounts past_recoveries_ HALLMARK_GUARDED_BY(mu_);
  bool news_ HALLMARK_GUARDED_BY(mu_) = false;
  bool stopping_ HALLMARK_GUARDED_BY(mu_) = false;
  // Whether any host has served yet, and why the last one that failed did.
  bool opened_ HALLMARK_GUARDED_BY(mu_) = false;
  std::optional<OpenError> failure_ HALLMARK_GUARDED_BY(mu_);
  std::string told_ HALLMARK_GUARDED_BY(mu_);
  SecretBytes sealing_key_ HALLMARK_GUARDED_BY(mu_);
  std::set<Bytes> keys_ HALLMARK_GUARDED_BY(mu_);

  Mutex events_mu_;
  EventSink events_ HALLMARK_GUARDED_BY(events_mu_);

  std::jthread supervisor_;
};

}  // namespace hallmark::pkcs11::host
