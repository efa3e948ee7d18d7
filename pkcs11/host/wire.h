// What hallmarkd and a token host say to each other. Internal: both ends are of one build.
#pragma once

#include "keystate/bytes.h"
#include "keystate/error.h"
#include "keystate/hsm.h"
#include "pkcs11/options.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::pkcs11::host {

// Changes with anything in this file.
inline constexpr std::uint32_t kWireVersion = 2;
inline constexpr std::size_t kMaxMessageBytes = 4096;
inline constexpr std::size_t kMaxTextBytes = 4096;

enum class FrameType : std::uint8_t {
  // To the host.
  kHello = 1,
  kMac,
  kGenerate,
  kExamine,
  kDestroy,
  kRandom,
  kList,
  kKeyChanged,
  // From the host.
  kReady,
  kCannotOpen,
  kTag,
  kGenerated,
  kExamined,
  kDestroyed,
  kRandomBytes,
  kKeys,
  kError,
  kState,
  kEvent,
};

// Of what held a secret; the size stays.
void Wipe(Bytes& bytes);

// Nothing for a number that is no type.
std::optional<FrameType> FrameTypeFrom(std::uint8_t number);
// The most that a frame of this type carries.
std::size_t MaxPayload(FrameType type);

// The fields of a message, one after another. Writer and Reader have the same members, so that each
// message lists its fields once, for both directions.
class Writer {
 public:
  void Number(const std::uint64_t& value);
  void Flag(const bool& value) { Number(value ? 1 : 0); }
  template <class E>
  void Choice(const E& value, E /*last*/) {
    Number(static_cast<std::uint64_t>(value));
  }
  template <std::size_t kSize>
  void Fixed(const std::array<std::byte, kSize>& value) {
    Append(value);
  }
  void Blob(const Bytes& value, std::size_t /*at_most*/);
  // Longer ones are cut.
  void Text(const std::string& value);
  void Blobs(const std::vector<Bytes>& value);

  Bytes Take() { return std::move(bytes_); }

 private:
  void Append(ByteView bytes);

  Bytes bytes_;
};

class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  void Number(std::uint64_t& value);
  void Flag(bool& value);
  // Of the enumerators up to `last`.
  template <class E>
  void Choice(E& value, E last) {
    std::uint64_t number = 0;
    Number(number);
    if (number > static_cast<std::uint64_t>(last)) good_ = false;
    if (good_) value = static_cast<E>(number);
  }
  template <std::size_t kSize>
  void Fixed(std::array<std::byte, kSize>& value) {
    const ByteView taken = TakeBytes(kSize);
    if (good_) std::copy(taken.begin(), taken.end(), value.begin());
  }
  void Blob(Bytes& value, std::size_t at_most);
  void Text(std::string& value);
  void Blobs(std::vector<Bytes>& value);

  // Everything was there and in range, and nothing is left.
  bool Complete() const { return good_ && rest_.empty(); }

 private:
  ByteView TakeBytes(std::size_t size);

  ByteView rest_;
  bool good_ = true;
};

template <class Message>
Bytes Encode(const Message& message) {
  Writer writer;
  Message::Code(writer, message);
  return writer.Take();
}

// Nothing unless the bytes are exactly such a message.
template <class Message>
std::optional<Message> Decode(ByteView bytes) {
  Message message{};
  Reader reader(bytes);
  Message::Code(reader, message);
  if (!reader.Complete()) return std::nullopt;
  return message;
}

// The first frame. No PIN: the host reads its file itself.
struct Hello {
  std::uint64_t version = kWireVersion;
  std::uint64_t parent = 0;  // process id
  TokenOptions token{};
  TokenRecord anchor{};
  bool wants_sealing_key = false;
};

struct Ready {
  std::uint64_t workers = 0;
  Bytes sealing_key{};  // secret; empty unless it was asked for

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Number(self.workers);
    coder.Blob(self.sealing_key, kMaxMacBytes);
  }
};

struct CannotOpen {
  OpenFailure failure = OpenFailure::kTokenError;
  std::string message{};

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Choice(self.failure, OpenFailure::kTokenError);
    coder.Text(self.message);
  }
};

struct MacRequest {
  MacKey key{};
  Bytes message{};

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Fixed(self.key.cka_id);
    coder.Choice(self.key.spec, KeySpec::kHmac512);
    coder.Fixed(self.key.check_value);
    coder.Blob(self.message, kMaxMessageBytes);
  }
};

// Generate, Examine, Destroy, Random and List; each uses what it needs.
struct ControlRequest {
  CkaId cka_id{};
  KeySpec spec = KeySpec::kHmac256;
  std::uint64_t size_bytes = 0;
  std::uint64_t time_ms = 0;

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Fixed(self.cka_id);
    coder.Choice(self.spec, KeySpec::kHmac512);
    coder.Number(self.size_bytes);
    coder.Number(self.time_ms);
  }
};

// Another host made, destroyed or examined this key.
struct KeyChanged {
  CkaId cka_id{};
  bool exists = false;

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Fixed(self.cka_id);
    coder.Flag(self.exists);
  }
};

// The request was done.
struct Done {
  template <class Coder, class Self>
  static void Code(Coder& /*coder*/, Self& /*self*/) {}
};

// A tag or random bytes.
struct Octets {
  Bytes bytes{};

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Blob(self.bytes, kMaxMessageBytes);
  }
};

// GeneratedKey or ExaminedKey.
template <class Key>
struct KeyFacts {
  Key key{};

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Fixed(self.key.check_value);
    coder.Flag(self.key.local);
  }
};

using Generated = KeyFacts<GeneratedKey>;
using Examined = KeyFacts<ExaminedKey>;

struct Keys {
  std::vector<Bytes> ids{};

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Blobs(self.ids);
  }
};

struct State {
  bool available = false;
  std::uint64_t open_sessions = 0;
  std::uint64_t session_budget = 0;
  RecoveryCounts recoveries{};

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Flag(self.available);
    coder.Number(self.open_sessions);
    coder.Number(self.session_budget);
    coder.Number(self.recoveries.replaced_sessions);
    coder.Number(self.recoveries.renewals);
    coder.Number(self.recoveries.repairs);
    coder.Number(self.recoveries.reinitialisations);
    coder.Number(self.recoveries.outages);
  }
  friend bool operator==(const State&, const State&) = default;
};

struct Event {
  Severity severity = Severity::kInfo;
  std::string text{};

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Choice(self.severity, Severity::kAlarm);
    coder.Text(self.text);
  }
};

Bytes EncodeError(const Error& error);
std::optional<Error> DecodeError(ByteView bytes);
Bytes EncodeHello(const Hello& hello);
std::optional<Hello> DecodeHello(ByteView bytes);

}  // namespace hallmark::pkcs11::host
