// One end of the socket between hallmarkd and a token host.
#pragma once

#include "keystate/bytes.h"
#include "keystate/mutex.h"
#include "pkcs11/host/wire.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace hallmark::pkcs11::host {

struct Frame {
  FrameType type = FrameType::kError;
  std::uint64_t id = 0;
  Bytes payload{};
};

// Thread-safety: Send and HangUp may be called from any thread, the rest by one thread at a time.
class Channel {
 public:
  // Takes over the connected socket.
  explicit Channel(int fd);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // False if the other end is gone or does not read; then the frame did not arrive whole, and no
  // more can be sent. What was written is wiped if `secret`.
  bool Send(FrameType type, std::uint64_t id, ByteView payload, bool secret = false)
      HALLMARK_EXCLUDES(mu_);
  // Waits for the next frame. Nothing: the other end is gone, or what it sends is no frame.
  std::optional<Frame> Receive();
  // More was received than Receive has returned.
  bool more_at_hand() const { return begin_ < end_; }
  // Both ends see the end of the stream from now on.
  void HangUp();
  // How long Send waits for an end that does not read.
  void LimitSending(std::chrono::milliseconds at_most);

 private:
  // Receives until `size` bytes are at hand.
  bool Fill(std::size_t size);

  const int fd_;
  Bytes in_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  Mutex mu_;
  Bytes out_ HALLMARK_GUARDED_BY(mu_);
  bool broken_ HALLMARK_GUARDED_BY(mu_) = false;
};

}  // namespace hallmark::pkcs11::host
