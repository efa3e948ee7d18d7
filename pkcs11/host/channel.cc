#include "pkcs11/host/channel.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hallmark::pkcs11::host {
namespace {

// Length of the payload, type, id.
constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kHeadBytes = kLengthBytes + 1 + kIdBytes;
constexpr std::size_t kReceiveBytes = 64 * 1024;

void Append(Bytes& to, std::uint64_t number, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    to.push_back(static_cast<std::byte>((number >> (8 * i)) & 0xFFU));
  }
}

std::uint64_t NumberAt(const std::byte* from, std::size_t bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    number |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
  }
  return number;
}

}  // namespace

Channel::Channel(int fd) : fd_(fd), in_(kReceiveBytes) {}

Channel::~Channel() { static_cast<void>(::close(fd_)); }

void Channel::HangUp() { static_cast<void>(::shutdown(fd_, SHUT_RDWR)); }

void Channel::LimitSending(std::chrono::milliseconds at_most) {
  timeval limit{};
  limit.tv_sec = at_most.count() / 1000;
  limit.tv_usec = (at_most.count() % 1000) * 1000;
  static_cast<void>(::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
}

bool Channel::Send(FrameType type, std::uint64_t id, ByteView payload, bool secret) {
  MutexLock lock(mu_);
  if (broken_ || payload.size() > MaxPayload(type)) return false;
  out_.clear();
  // So that no reallocation leaves a copy of a secret behind.
  out_.reserve(kHeadBytes + payload.size());
  Append(out_, payload.size(), kLengthBytes);
  Append(out_, static_cast<std::uint64_t>(type), 1);
  Append(out_, id, kIdBytes);
  out_.insert(out_.end(), payload.begin(), payload.end());
  ByteView rest = out_;
  while (!rest.empty()) {
    const ssize_t sent = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) {
      broken_ = true;
      break;
    }
    rest = rest.subspan(static_cast<std::size_t>(sent));
  }
  if (secret) Wipe(out_);
  return !broken_;
}

bool Channel::Fill(std::size_t size) {
  if (end_ - begin_ >= size) return true;
  if (in_.size() - begin_ < size) {
    std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (in_.size() < size) in_.resize(size);
  }
  while (end_ - begin_ < size) {
    const ssize_t got = ::recv(fd_, in_.data() + end_, in_.size() - end_, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    end_ += static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<Frame> Channel::Receive() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (!Fill(kHeadBytes)) return std::nullopt;
  const std::byte* const head = in_.data() + begin_;
  const std::size_t size = NumberAt(head, kLengthBytes);
  const std::optional<FrameType> type =
      FrameTypeFrom(std::to_integer<std::uint8_t>(head[kLengthBytes]));
  if (!type || size > MaxPayload(*type)) return std::nullopt;
  Frame frame{*type, NumberAt(head + kLengthBytes + 1, kIdBytes)};
  if (!Fill(kHeadBytes + size)) return std::nullopt;
  const auto payload = in_.begin() + static_cast<std::ptrdiff_t>(begin_ + kHeadBytes);
  frame.payload.assign(payload, payload + static_cast<std::ptrdiff_t>(size));
  // The one frame with a secret in it.
  if (*type == FrameType::kReady) ::explicit_bzero(in_.data() + begin_ + kHeadBytes, size);
  begin_ += kHeadBytes + size;
  return frame;
}

}  // namespace hallmark::pkcs11::host
