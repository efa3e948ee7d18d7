#include "pkcs11/host/wire.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hallmark::pkcs11::host {
namespace {

constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kExceptions = 0
#define HALLMARK_EXCEPTION(name, fault, retry, meaning) +1
#include "keystate/exceptions.def"
#undef HALLMARK_EXCEPTION
    ;
constexpr Exception kLastException = static_cast<Exception>(kExceptions - 1);

struct WireError {
  Error error{Exception::kKMSInternalException, {}};
  bool has_retry = false;
  std::uint64_t retry_ms = 0;

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    coder.Choice(self.error.exception, kLastException);
    coder.Text(self.error.message);
    coder.Text(self.error.detail);
    coder.Flag(self.has_retry);
    coder.Number(self.retry_ms);
  }
};

// The options that a host needs, with paths as text.
struct WireHello {
  Hello hello{};
  std::string module{};
  std::string config_directory{};
  std::string state_directory{};
  std::string sync_path{};
  std::uint64_t sessions = 0;
  std::uint64_t max_queued = 0;
  std::uint64_t hosts = 0;
  std::uint64_t hang_limit_ms = 0;

  template <class Coder, class Self>
  static void Code(Coder& coder, Self& self) {
    auto& token = self.hello.token;
    auto& anchor = self.hello.anchor;
    coder.Number(self.hello.version);
    coder.Number(self.hello.parent);
    coder.Text(token.token_id);
    coder.Text(self.module);
    coder.Text(token.init_args);
    coder.Text(token.uri);
    coder.Text(self.config_directory);
    coder.Text(self.state_directory);
    coder.Text(self.sync_path);
    coder.Number(self.sessions);
    coder.Number(self.max_queued);
    coder.Flag(token.key_copies);
    coder.Number(self.hosts);
    coder.Text(token.host_user);
    coder.Number(self.hang_limit_ms);
    coder.Fixed(anchor.anchor_cka_id);
    coder.Fixed(anchor.anchor_check_value);
    coder.Flag(self.hello.wants_sealing_key);
  }
};

}  // namespace

void Wipe(Bytes& bytes) {
  if (!bytes.empty()) ::explicit_bzero(bytes.data(), bytes.size());
}

std::optional<FrameType> FrameTypeFrom(std::uint8_t number) {
  if (number < static_cast<std::uint8_t>(FrameType::kHello) ||
      number > static_cast<std::uint8_t>(FrameType::kEvent)) {
    return std::nullopt;
  }
  return static_cast<FrameType>(number);
}

std::size_t MaxPayload(FrameType type) {
  constexpr std::size_t kMost = std::size_t{16} << 20U;
  constexpr std::size_t kHelloBytes = 64 * 1024;
  constexpr std::size_t kUsual = 3 * kMaxTextBytes;
  if (type == FrameType::kKeys) return kMost;
  return type == FrameType::kHello ? kHelloBytes : kUsual;
}

void Writer::Append(ByteView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

void Writer::Number(const std::uint64_t& value) {
  for (std::size_t i = 0; i < kNumberBytes; ++i) {
    bytes_.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xFFU));
  }
}

void Writer::Blob(const Bytes& value, std::size_t /*at_most*/) {
  Number(value.size());
  Append(value);
}

void Writer::Text(const std::string& value) {
  const ByteView text = AsBytes(value).first(std::min(value.size(), kMaxTextBytes));
  Number(text.size());
  Append(text);
}

void Writer::Blobs(const std::vector<Bytes>& value) {
  Number(value.size());
  for (const Bytes& blob : value) Blob(blob, kMaxMessageBytes);
}

ByteView Reader::TakeBytes(std::size_t size) {
  if (!good_ || size > rest_.size()) {
    good_ = false;
    return {};
  }
  const ByteView taken = rest_.first(size);
  rest_ = rest_.subspan(size);
  return taken;
}

void Reader::Number(std::uint64_t& value) {
  const ByteView taken = TakeBytes(kNumberBytes);
  if (!good_) return;
  value = 0;
  for (std::size_t i = 0; i < kNumberBytes; ++i) {
    value |= std::to_integer<std::uint64_t>(taken[i]) << (8 * i);
  }
}

void Reader::Flag(bool& value) {
  std::uint64_t number = 0;
  Number(number);
  if (number > 1) good_ = false;
  value = number == 1;
}

void Reader::Blob(Bytes& value, std::size_t at_most) {
  std::uint64_t size = 0;
  Number(size);
  if (size > at_most) good_ = false;
  const ByteView taken = TakeBytes(size);
  value.assign(taken.begin(), taken.end());
}

void Reader::Text(std::string& value) {
  std::uint64_t size = 0;
  Number(size);
  if (size > kMaxTextBytes) good_ = false;
  const ByteView taken = TakeBytes(size);
  value.assign(reinterpret_cast<const char*>(taken.data()), taken.size());
}

void Reader::Blobs(std::vector<Bytes>& value) {
  std::uint64_t count = 0;
  Number(count);
  // Each takes its length at least: no count makes us reserve more than was sent.
  if (count > rest_.size() / kNumberBytes) good_ = false;
  value.clear();
  for (std::uint64_t i = 0; good_ && i < count; ++i) {
    Blob(value.emplace_back(), kMaxMessageBytes);
  }
}

Bytes EncodeError(const Error& error) {
  WireError wire{error};
  if (error.retry_after) {
    wire.has_retry = true;
    wire.retry_ms = static_cast<std::uint64_t>(
        std::max<std::chrono::milliseconds::rep>(0, error.retry_after->count()));
  }
  return Encode(wire);
}

std::optional<Error> DecodeError(ByteView bytes) {
  std::optional<WireError> wire = Decode<WireError>(bytes);
  if (!wire) return std::nullopt;
  if (wire->has_retry) wire->error.retry_after = std::chrono::milliseconds(wire->retry_ms);
  return std::move(wire->error);
}

Bytes EncodeHello(const Hello& hello) {
  const TokenOptions& token = hello.token;
  return Encode(WireHello{hello, token.module.string(), token.config_directory.string(),
                          token.state_directory.string(), token.sync_path.string(), token.sessions,
                          token.max_queued, token.hosts,
                          static_cast<std::uint64_t>(token.host_hang_limit.count())});
}

std::optional<Hello> DecodeHello(ByteView bytes) {
  std::optional<WireHello> wire = Decode<WireHello>(bytes);
  if (!wire || wire->hello.version != kWireVersion) return std::nullopt;
  Hello hello = std::move(wire->hello);
  TokenOptions& token = hello.token;
  token.module = wire->module;
  token.config_directory = wire->config_directory;
  token.state_directory = wire->state_directory;
  token.sync_path = wire->sync_path;
  token.sessions = wire->sessions;
  token.max_queued = wire->max_queued;
  token.hosts = wire->hosts;
  token.host_hang_limit = std::chrono::milliseconds(wire->hang_limit_ms);
  hello.anchor.token_id = token.token_id;
  return hello;
}

}  // namespace hallmark::pkcs11::host
