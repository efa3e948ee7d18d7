#include "pkcs11/host/link.h"

#include <algorithm>
#include <chrono>

namespace hallmark::pkcs11::host {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

// Whether this answers a request that concerns one key, and what it says of the key.
std::optional<bool> KeyExistsAfter(FrameType answer) {
  if (answer == FrameType::kGenerated || answer == FrameType::kExamined) return true;
  if (answer == FrameType::kDestroyed) return false;
  return std::nullopt;
}

}  // namespace

Result<std::shared_ptr<Link>, std::string> Link::Start(const std::filesystem::path& program,
                                                       std::chrono::milliseconds send_limit,
                                                       LinkListener& listener) {
  int socket = -1;
  HALLMARK_ASSIGN_OR_RETURN(Process process, Process::Start(program, &socket));
  std::shared_ptr<Link> link(new Link(std::move(process), socket, listener));
  link->channel_.LimitSending(send_limit);
  link->reader_ = std::jthread([raw = link.get()] { raw->Read(); });
  return link;
}

Link::Link(Process process, int socket, LinkListener& listener)
    : process_(std::move(process)), channel_(socket), listener_(listener), started_(Now()) {}

Link::~Link() {
  Kill("");
  Join();
}

void Link::Join() {
  if (reader_.joinable()) reader_.join();
}

void Link::Greet(const Hello& hello) {
  if (!channel_.Send(FrameType::kHello, 0, EncodeHello(hello))) Kill("");
  greeted_.store(true);
}

std::optional<std::future<Answer>> Link::Ask(FrameType type, const Bytes& request,
                                             SteadyTime overdue,
                                             const std::optional<CkaId>& about) {
  const bool is_mac = type == FrameType::kMac;
  std::future<Answer> answer;
  std::uint64_t id = 0;
  {
    MutexLock lock(mu_);
    if (lost_.load()) return std::nullopt;
    id = next_id_++;
    Pending pending{{}, Now(), overdue, about};
    answer = pending.promise.get_future();
    (is_mac ? macs_ : others_).emplace(id, std::move(pending));
    NoteOldest();
  }
  // A host that does not read what we send hangs.
  if (!channel_.Send(type, id, request)) Kill("it takes no more requests");
  return answer;
}

void Link::Tell(const KeyChanged& change) {
  if (greeted_.load()) static_cast<void>(channel_.Send(FrameType::kKeyChanged, 0, Encode(change)));
}

void Link::Kill(const std::string& why) {
  {
    MutexLock lock(mu_);
    if (lost_.load()) return;
    if (why_killed_.empty()) why_killed_ = why;
    // Under the lock: once the host counts as lost its process id may be another's.
    process_.Kill();
  }
  channel_.HangUp();  // the reading thread does the rest
}

std::string Link::why_killed() const {
  MutexLock lock(mu_);
  return why_killed_;
}

State Link::state() const {
  MutexLock lock(mu_);
  return state_;
}

bool Link::HasOverdue(SteadyTime now) const {
  const auto overdue = [now](const auto& entry) { return entry.second.overdue <= now; };
  MutexLock lock(mu_);
  return std::any_of(macs_.begin(), macs_.end(), overdue) ||
         std::any_of(others_.begin(), others_.end(), overdue);
}

bool Link::IsChanging(const CkaId& id) const {
  MutexLock lock(mu_);
  return std::any_of(others_.begin(), others_.end(),
                     [&id](const auto& entry) { return entry.second.about == id; });
}

void Link::NoteOldest() {
  load_.store(macs_.size(), std::memory_order_relaxed);
  const SteadyTime oldest = macs_.empty() ? SteadyTime::max() : macs_.begin()->second.sent;
  oldest_mac_.store(oldest.time_since_epoch().count(), std::memory_order_relaxed);
}

void Link::Read() {
  while (std::optional<Frame> frame = channel_.Receive()) {
    if (!Handle(*std::move(frame))) {
      Kill("what it sent makes no sense");
      break;
    }
  }
  LoseAll();
  listener_.OnLost(*this);
}

void Link::LoseAll() {
  PendingMap macs;
  PendingMap others;
  {
    MutexLock lock(mu_);
    lost_.store(true);
    macs.swap(macs_);
    others.swap(others_);
    NoteOldest();
  }
  process_.Kill();
  channel_.HangUp();
  for (auto& [id, pending] : macs) pending.promise.set_value(std::nullopt);
  for (auto& [id, pending] : others) pending.promise.set_value(std::nullopt);
}

bool Link::Handle(Frame frame) {
  switch (frame.type) {
    case FrameType::kReady: {
      std::optional<Ready> ready = Decode<Ready>(frame.payload);
      Wipe(frame.payload);
      if (!ready || ready->workers == 0 || ready_.load()) return false;
      ready_.store(true);
      listener_.OnReady(*this, *ready);
      return true;
    }
    case FrameType::kCannotOpen: {
      const auto failure = Decode<CannotOpen>(frame.payload);
      if (!failure || ready_.load()) return false;
      listener_.OnCannotOpen(*this, *failure);
      return true;
    }
    case FrameType::kState: {
      const auto state = Decode<State>(frame.payload);
      if (!state) return false;
      available_.store(state->available);
      const SteadyTime out_since = state->available ? SteadyTime::max() : Now();
      out_since_.store(out_since.time_since_epoch().count(), std::memory_order_relaxed);
      MutexLock lock(mu_);
      state_ = *state;
      return true;
    }
    case FrameType::kEvent: {
      const auto event = Decode<Event>(frame.payload);
      if (event) listener_.OnEvent(*event);
      return event.has_value();
    }
    case FrameType::kTag:
    case FrameType::kGenerated:
    case FrameType::kExamined:
    case FrameType::kDestroyed:
    case FrameType::kRandomBytes:
    case FrameType::kKeys:
    case FrameType::kError:
      return HandleAnswer(std::move(frame));
    case FrameType::kHello:
    case FrameType::kMac:
    case FrameType::kGenerate:
    case FrameType::kExamine:
    case FrameType::kDestroy:
    case FrameType::kRandom:
    case FrameType::kList:
    case FrameType::kKeyChanged:
      return false;
  }
  return false;
}

bool Link::HandleAnswer(Frame frame) {
  PendingMap::node_type answered;
  {
    MutexLock lock(mu_);
    answered = macs_.extract(frame.id);
    if (answered.empty()) answered = others_.extract(frame.id);
    NoteOldest();
  }
  if (answered.empty()) return false;
  Pending& pending = answered.mapped();
  if (const std::optional<bool> exists = KeyExistsAfter(frame.type)) {
    if (!pending.about) {
      pending.promise.set_value(std::nullopt);
      return false;
    }
    listener_.OnKeyChanged(*this, {*pending.about, *exists});
  }
  pending.promise.set_value(std::move(frame));
  return true;
}

}  // namespace hallmark::pkcs11::host
