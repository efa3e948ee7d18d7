#include "pkcs11/host/token_host.h"

#include "keystate/mutex.h"
#include "pkcs11/ckr.h"
#include "pkcs11/host/channel.h"
#include "pkcs11/host/wire.h"
#include "pkcs11/local_token.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace hallmark::pkcs11::host {
namespace {

using std::chrono::milliseconds;

// How soon hallmarkd learns that the token is out, or back.
constexpr milliseconds kStateTick{20};
// More at a time are refused; each has a thread.
constexpr std::size_t kMaxControlCalls = 32;
// For a parent's number of bytes and time, which only a fault of ours makes larger.
constexpr std::uint64_t kMostRandomBytes = kMaxMessageBytes;
constexpr milliseconds kLongestCall{std::chrono::hours(1)};

SteadyTime Now() { return std::chrono::steady_clock::now(); }

// What happens to requests, shared with the threads that carry them out.
class Host : public std::enable_shared_from_this<Host> {
 public:
  Host(int socket, RandomSource& random) : channel_(socket), random_(random) {}

  int Run();

 private:
  class Mac;

  std::optional<Hello> ReceiveHello();
  bool Open(const Hello& hello);
  // False: that is no request of ours.
  bool Handle(const Frame& frame);
  bool HandleMac(const Frame& frame);
  bool HandleControl(const Frame& frame);
  bool HandleKeyChanged(const Frame& frame);
  void Control(FrameType type, std::uint64_t id, const ControlRequest& request);
  void WatchState();
  void SendStateIfNew() HALLMARK_EXCLUDES(state_mu_);
  void SendError(std::uint64_t id, const Error& error);
  template <class T, class Response>
  void SendResult(std::uint64_t id, const Result<T>& result, FrameType type,
                  const Response& response);

  Channel channel_;
  RandomSource& random_;
  milliseconds hang_limit_{0};
  std::unique_ptr<Hsm> hsm_;
  std::shared_ptr<Connection> connection_;
  std::atomic<std::size_t> macs_{0};
  std::atomic<std::size_t> control_calls_{0};
  std::atomic<bool> stopping_{false};
  Mutex state_mu_;
  std::optional<State> sent_state_ HALLMARK_GUARDED_BY(state_mu_);
};

class Host::Mac final : public MacTask {
 public:
  Mac(std::shared_ptr<Host> host, std::uint64_t id, MacRequest request, bool compute_here)
      : host_(std::move(host)),
        id_(id),
        request_(std::move(request)),
        // Later than hallmarkd would wait: it must see for itself that a call does not come back.
        deadline_(Now() + 2 * host_->hang_limit_),
        compute_here_(compute_here) {
    host_->macs_.fetch_add(1);
  }
  ~Mac() override { host_->macs_.fetch_sub(1); }
  Mac(const Mac&) = delete;
  Mac& operator=(const Mac&) = delete;

  ByteView message() const override { return request_.message; }
  SteadyTime deadline() const override { return deadline_; }
  bool abandoned() const override { return false; }
  bool may_compute_here() const override { return compute_here_; }
  // hallmarkd has decided, just before it sent the request.
  Result<MacKey> Admit() override { return request_.key; }
  void Finish(Result<MacTag> tag) override {
    if (tag.has_value()) {
      const ByteView bytes = tag->bytes();
      host_->channel_.Send(FrameType::kTag, id_, Encode(Octets{Bytes(bytes.begin(), bytes.end())}));
    } else {
      host_->SendError(id_, tag.error());
    }
  }

 private:
  const std::shared_ptr<Host> host_;
  const std::uint64_t id_;
  const MacRequest request_;
  const SteadyTime deadline_;
  const bool compute_here_;
};

// A user may be taken only once, and before anything of others is loaded.
std::optional<std::string> BecomeUser(const std::string& name) {
  if (name.empty()) return std::nullopt;
  errno = 0;
  const passwd* const user = ::getpwnam(name.c_str());  // the one thread there is
  if (user == nullptr) return "there is no user " + name + ": correct host_user";
  const uid_t uid = user->pw_uid;
  const gid_t gid = user->pw_gid;
  if (::initgroups(name.c_str(), gid) != 0 || ::setgid(gid) != 0 || ::setuid(uid) != 0) {
    return "the user " + name + " cannot be taken (" + std::strerror(errno) +
           "): start hallmarkd as root, or leave host_user out";
  }
  return std::nullopt;
}

// The system ends us with hallmarkd, even while a driver holds up the thread that would notice.
bool TieToParent(std::uint64_t parent) {
  // Taking another user undoes both of these.
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::prctl(PR_SET_DUMPABLE, 0) == 0 &&
         static_cast<std::uint64_t>(::getppid()) == parent;
}

std::optional<Hello> Host::ReceiveHello() {
  const std::optional<Frame> frame = channel_.Receive();
  if (!frame || frame->type != FrameType::kHello) return std::nullopt;
  return DecodeHello(frame->payload);
}

bool Host::Open(const Hello& hello) {
  const auto events = [weak = weak_from_this()](Severity severity, const std::string& text) {
    if (const std::shared_ptr<Host> self = weak.lock()) {
      self->channel_.Send(FrameType::kEvent, 0, Encode(Event{severity, text}));
    }
  };
  // A call that hangs is noticed by hallmarkd, which ends this process.
  Result<LocalToken, OpenError> token =
      OpenLocal(hello.token, hello.anchor, random_, events, nullptr);
  if (!token.has_value()) {
    const OpenError& error = token.error();
    channel_.Send(FrameType::kCannotOpen, 0, Encode(CannotOpen{error.failure, error.message}));
    return false;
  }
  hsm_ = std::move(token->hsm);
  connection_ = std::move(token->connection);
  hang_limit_ = hello.token.host_hang_limit;
  Ready ready{connection_->workers(), {}};
  if (hello.wants_sealing_key) {
    const ByteView key = token->sealing_key.RevealForHsm();
    ready.sealing_key.assign(key.begin(), key.end());
  }
  Bytes encoded = Encode(ready);
  SendStateIfNew();
  const bool sent = channel_.Send(FrameType::kReady, 0, encoded, true);
  Wipe(encoded);
  Wipe(ready.sealing_key);
  return sent;
}

int Host::Run() {
  const std::optional<Hello> hello = ReceiveHello();
  if (!hello) return EX_PROTOCOL;
  const auto refuse = [this](const std::string& reason) {
    channel_.Send(FrameType::kCannotOpen, 0,
                  Encode(CannotOpen{OpenFailure::kConfiguration, "the token host: " + reason}));
    return EX_NOPERM;
  };
  if (const auto problem = BecomeUser(hello->token.host_user)) return refuse(*problem);
  if (!TieToParent(hello->parent)) return EX_OSERR;
  if (!Open(*hello)) return EX_UNAVAILABLE;

  std::jthread watch([this] { WatchState(); });
  bool sensible = true;
  while (std::optional<Frame> frame = channel_.Receive()) {
    sensible = Handle(*frame);
    if (!sensible) break;
  }
  stopping_.store(true);
  watch.join();
  // Nobody is left to answer, so nothing is waited for that may be stuck in the driver.
  if (macs_.load() > 0 || control_calls_.load() > 0) std::_Exit(EX_OK);
  hsm_.reset();
  return sensible ? EX_OK : EX_PROTOCOL;
}

bool Host::Handle(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kMac:
      return HandleMac(frame);
    case FrameType::kGenerate:
    case FrameType::kExamine:
    case FrameType::kDestroy:
    case FrameType::kRandom:
    case FrameType::kList:
      return HandleControl(frame);
    case FrameType::kKeyChanged:
      return HandleKeyChanged(frame);
    case FrameType::kHello:
    case FrameType::kReady:
    case FrameType::kCannotOpen:
    case FrameType::kTag:
    case FrameType::kGenerated:
    case FrameType::kExamined:
    case FrameType::kDestroyed:
    case FrameType::kRandomBytes:
    case FrameType::kKeys:
    case FrameType::kError:
    case FrameType::kState:
    case FrameType::kEvent:
      return false;
  }
  return false;
}

bool Host::HandleMac(const Frame& frame) {
  std::optional<MacRequest> request = Decode<MacRequest>(frame.payload);
  if (!request) return false;
  // This thread alone reads: it computes only what it keeps nobody waiting with.
  const bool alone = macs_.load() == 0 && !channel_.more_at_hand();
  hsm_->ComputeMac(std::make_shared<Mac>(shared_from_this(), frame.id, *std::move(request), alone));
  return true;
}

bool Host::HandleKeyChanged(const Frame& frame) {
  const std::optional<KeyChanged> change = Decode<KeyChanged>(frame.payload);
  if (!change) return false;
  // Of no generation of ours: whatever a scan knows of the key is better.
  constexpr std::uint64_t kNoGeneration = ~std::uint64_t{0};
  if (change->exists) {
    connection_->handles().Add(change->cka_id, kNoGeneration, KeyEntry{});
  } else {
    connection_->handles().Remove(change->cka_id);
  }
  return true;
}

bool Host::HandleControl(const Frame& frame) {
  const std::optional<ControlRequest> request = Decode<ControlRequest>(frame.payload);
  if (!request) return false;
  if (control_calls_.fetch_add(1) >= kMaxControlCalls) {
    control_calls_.fetch_sub(1);
    SendError(frame.id, ControlError("too many operations are under way", hsm_->token_id()));
    return true;
  }
  std::thread([self = shared_from_this(), type = frame.type, id = frame.id, request = *request] {
    self->Control(type, id, request);
    self->control_calls_.fetch_sub(1);
  }).detach();
  return true;
}

template <class T, class Response>
void Host::SendResult(std::uint64_t id, const Result<T>& result, FrameType type,
                      const Response& response) {
  if (result.has_value()) {
    channel_.Send(type, id, Encode(response));
  } else {
    SendError(id, result.error());
  }
}

void Host::Control(FrameType type, std::uint64_t id, const ControlRequest& request) {
  const auto time = std::min<std::uint64_t>(request.time_ms, kLongestCall.count());
  const SteadyTime deadline = Now() + milliseconds(time);
  if (type == FrameType::kGenerate) {
    const Result<GeneratedKey> key = hsm_->GenerateKey(request.cka_id, request.spec, deadline);
    SendResult(id, key, FrameType::kGenerated, Generated{key.has_value() ? *key : GeneratedKey{}});
  } else if (type == FrameType::kExamine) {
    const Result<ExaminedKey> key = hsm_->ExamineKey(request.cka_id, request.spec, deadline);
    SendResult(id, key, FrameType::kExamined, Examined{key.has_value() ? *key : ExaminedKey{}});
  } else if (type == FrameType::kDestroy) {
    SendResult(id, hsm_->DestroyKey(request.cka_id, deadline), FrameType::kDestroyed, Done{});
  } else if (type == FrameType::kRandom) {
    const Result<Bytes> random =
        hsm_->GenerateRandom(std::min(request.size_bytes, kMostRandomBytes), deadline);
    SendResult(id, random, FrameType::kRandomBytes, Octets{random.has_value() ? *random : Bytes()});
  } else {
    channel_.Send(FrameType::kKeys, id, Encode(Keys{hsm_->ListKeys()}));
  }
}

void Host::SendError(std::uint64_t id, const Error& error) {
  // First, so that hallmarkd can tell an error of the call from the end of the token.
  SendStateIfNew();
  channel_.Send(FrameType::kError, id, EncodeError(error));
}

void Host::SendStateIfNew() {
  const State state{hsm_->available(), hsm_->open_sessions(), hsm_->session_budget(),
                    hsm_->recoveries()};
  MutexLock lock(state_mu_);
  if (sent_state_ == state) return;
  sent_state_ = state;
  channel_.Send(FrameType::kState, 0, Encode(state));
}

void Host::WatchState() {
  for (; !stopping_.load(); std::this_thread::sleep_for(kStateTick)) SendStateIfNew();
}

}  // namespace

int ServeToken(int socket, RandomSource& random) {
  return std::make_shared<Host>(socket, random)->Run();
}

}  // namespace hallmark::pkcs11::host
