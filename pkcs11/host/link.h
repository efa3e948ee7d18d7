// One token host, as hallmarkd sees it.
#pragma once

#include "keystate/clock.h"
#include "keystate/mutex.h"
#include "pkcs11/host/channel.h"
#include "pkcs11/host/process.h"
#include "pkcs11/host/wire.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace hallmark::pkcs11::host {

class Link;

// Learns what a host says of itself. Called on the link's reading thread; must not block.
class LinkListener {
 public:
  virtual ~LinkListener() = default;
  virtual void OnReady(Link& link, Ready& ready) = 0;
  virtual void OnCannotOpen(Link& link, const CannotOpen& failure) = 0;
  virtual void OnEvent(const Event& event) = 0;
  // A request to make, examine or destroy the key has succeeded, in time or not; before it is
  // answered.
  virtual void OnKeyChanged(const Link& link, const KeyChanged& change) = 0;
  // The process has ended or is being killed, and every request was answered.
  virtual void OnLost(Link& link) = 0;
};

// A request is answered by the frame that came back, or by nothing if the host is lost.
using Answer = std::optional<Frame>;

// Thread-safety: every method may be called from any thread, but for Join.
class Link {
 public:
  // `listener` lives until Join. Errors: as Process::Start.
  static Result<std::shared_ptr<Link>, std::string> Start(const std::filesystem::path& program,
                                                          std::chrono::milliseconds send_limit,
                                                          LinkListener& listener);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // The first thing that is said.
  void Greet(const Hello& hello);

  // Nothing: the host is lost, and has not got the request. `overdue`: when the host is to be given
  // up if it has not answered; `about`: the key that the request changes.
  std::optional<std::future<Answer>> Ask(FrameType type, const Bytes& request, SteadyTime overdue,
                                         const std::optional<CkaId>& about = std::nullopt)
      HALLMARK_EXCLUDES(mu_);
  // For the host's information; it knows already if it was not greeted yet.
  void Tell(const KeyChanged& change);
  // Ends the process; `why` is for the operators.
  void Kill(const std::string& why) HALLMARK_EXCLUDES(mu_);

  bool ready() const { return ready_.load(); }
  bool lost() const { return lost_.load(); }
  // It is ready and its token answers.
  bool available() const { return ready_.load() && available_.load() && !lost_.load(); }
  // As it last told.
  State state() const HALLMARK_EXCLUDES(mu_);
  std::size_t load() const { return load_.load(std::memory_order_relaxed); }
  // When the oldest MAC under way was sent; max if there is none.
  SteadyTime oldest_mac() const {
    return SteadyTime(SteadyTime::duration(oldest_mac_.load(std::memory_order_relaxed)));
  }
  bool HasOverdue(SteadyTime now) const HALLMARK_EXCLUDES(mu_);
  bool IsChanging(const CkaId& id) const HALLMARK_EXCLUDES(mu_);
  SteadyTime started() const { return started_; }
  // Since when its token does not answer; max while it does.
  SteadyTime out_since() const {
    return SteadyTime(SteadyTime::duration(out_since_.load(std::memory_order_relaxed)));
  }
  // Why it was killed; empty if it was not.
  std::string why_killed() const HALLMARK_EXCLUDES(mu_);
  pid_t pid() const { return process_.pid(); }

  // After the host is lost: waits for the reading thread.
  void Join();
  // After Join; true once nothing is left of the process.
  bool Reap() { return process_.Reap(); }

 private:
  struct Pending {
    std::promise<Answer> promise;
    SteadyTime sent;
    SteadyTime overdue;
    std::optional<CkaId> about;
  };
  using PendingMap = std::map<std::uint64_t, Pending>;  // the oldest first

  Link(Process process, int socket, LinkListener& listener);

  void Read();
  // False: that is no answer of ours.
  bool Handle(Frame frame) HALLMARK_EXCLUDES(mu_);
  bool HandleAnswer(Frame frame) HALLMARK_EXCLUDES(mu_);
  void LoseAll() HALLMARK_EXCLUDES(mu_);
  void NoteOldest() HALLMARK_REQUIRES(mu_);

  Process process_;
  Channel channel_;
  LinkListener& listener_;
  const SteadyTime started_;
  std::atomic<bool> greeted_{false};
  std::atomic<bool> ready_{false};
  std::atomic<bool> lost_{false};
  std::atomic<bool> available_{true};
  std::atomic<std::size_t> load_{0};
  std::atomic<SteadyTime::rep> oldest_mac_{SteadyTime::max().time_since_epoch().count()};
  std::atomic<SteadyTime::rep> out_since_{SteadyTime::max().time_since_epoch().count()};

  mutable Mutex mu_;
  std::uint64_t next_id_ HALLMARK_GUARDED_BY(mu_) = 1;
  PendingMap macs_ HALLMARK_GUARDED_BY(mu_);
  PendingMap others_ HALLMARK_GUARDED_BY(mu_);
  State state_ HALLMARK_GUARDED_BY(mu_);
  std::string why_killed_ HALLMARK_GUARDED_BY(mu_);

  std::jthread reader_;
};

}  // namespace hallmark::pkcs11::host
