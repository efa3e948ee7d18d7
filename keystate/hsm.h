// The port to hardware: everything the service asks of a PKCS#11 token.
#pragma once

#include "keystate/bytes.h"
#include "keystate/clock.h"
#include "keystate/key_spec.h"
#include "keystate/records.h"
#include "keystate/result.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hallmark {

// A full-length HMAC tag.
class MacTag {
 public:
  MacTag() = default;
  // `bytes` is at most kMaxMacBytes long.
  explicit MacTag(ByteView bytes);

  ByteView bytes() const { return {bytes_.data(), size_}; }

 private:
  std::array<std::byte, kMaxMacBytes> bytes_{};
  std::size_t size_ = 0;
};

// Which token object computes, and how it is told from an impostor.
struct MacKey {
  CkaId cka_id{};
  KeySpec spec = KeySpec::kHmac256;
  KeyCheckValue check_value{};
};

// One MAC to compute. The Hsm shares ownership until it has answered, and while a token call that
// reads the message is under way, even if the caller was answered by a time-out meanwhile.
class MacTask {
 public:
  virtual ~MacTask() = default;

  // Read after Admit.
  virtual ByteView message() const = 0;
  virtual SteadyTime deadline() const = 0;
  // True when nobody waits for the answer any more. Must be no more than a look at a flag.
  virtual bool abandoned() const = 0;

  // True: the thread that calls Hsm::ComputeMac may itself call the token for this task, and does
  // not come back from ComputeMac while the token does not answer.
  virtual bool may_compute_here() const { return false; }

  // For whom the MAC is made: under overload a token shares itself among different numbers.
  virtual std::uint64_t principal() const { return 0; }

  // Called on the thread that will call the token, after every wait and just before C_SignInit, so
  // once more when a call is repeated: decides again if anything that the first decision rested on
  // has changed. Failure goes to Finish.
  virtual Result<MacKey> Admit() = 0;

  // Called exactly once, on any thread, which may be one of a token's: it writes the call's record,
  // and beyond that must not block.
  virtual void Finish(Result<MacTag> tag) = 0;
};

struct GeneratedKey {
  KeyCheckValue check_value{};
  // CKA_LOCAL as the token reports it; recorded, not required (NSS reports false for keys it made).
  bool local = false;
};

// The processes in which a token is called, where that is not ours.
struct TokenHosts {
  std::size_t alive = 0;
  std::uint64_t replacements = 0;  // since the token was opened
};

// What was done to keep a token in service, since the process began.
struct RecoveryCounts {
  std::uint64_t replaced_sessions = 0;
  std::uint64_t renewals = 0;           // logged in where needed, scanned
  std::uint64_t repairs = 0;            // after an error of the device, at the first attempt
  std::uint64_t reinitialisations = 0;  // of the module, asked for by this token
  std::uint64_t outages = 0;            // a repair failed

  RecoveryCounts& operator+=(const RecoveryCounts& other);
  friend bool operator==(const RecoveryCounts&, const RecoveryCounts&) = default;
};

// What a token says of a key that is there.
struct ExaminedKey {
  KeyCheckValue check_value{};
  // CKA_LOCAL, as above.
  bool local = false;
};

// Calls whose threads were given up because they did not come back.
struct HungCalls {
  std::size_t now = 0;            // that are still out
  std::uint64_t written_off = 0;  // ever
};

// A token holding HMAC keys.
//
// Errors: every method fails with DependencyTimeoutException when the token cannot be reached or
//   misbehaves; MacTask::Finish gets KeyUnavailableException for the same.
//   UnsupportedOperationException when the token lacks the mechanism.
// Thread-safety: every method may be called from any thread.
class Hsm {
 public:
  virtual ~Hsm() = default;

  // The token's name in configuration and store.
  virtual const std::string& token_id() const = 0;
  // False while the token is known to be out; never asks the token, never blocks.
  virtual bool available() const = 0;

  // Queues the task, or computes it here if it allows that and the token is known to be fast; never
  // blocks otherwise. Refuses at once with ThrottlingException (through Finish) what
  // cannot be done before its deadline.
  virtual void ComputeMac(std::shared_ptr<MacTask> task) = 0;

  // Makes a key that cannot be read, exported or used for anything but MACs, reads its attributes
  // back, and makes it durable. A key weaker than asked is destroyed and refused.
  virtual Result<GeneratedKey> GenerateKey(const CkaId& id, KeySpec spec, SteadyTime deadline) = 0;

  // Destroys the secret key with this id; success if there is none.
  // Errors: KMSInternalException when two objects share the id: neither is touched.
  virtual Status DestroyKey(const CkaId& id, SteadyTime deadline) = 0;

  // Computes the check value, under `spec`, of a key that somebody else brought here, if that is a
  // secret key that makes MACs and cannot be read or taken out; changes nothing.
  //
  // Errors: NotFoundException when there is none with this id; ValidationException when there are
  //   two, or when it is weaker, with the attribute.
  virtual Result<ExaminedKey> ExamineKey(const CkaId& id, KeySpec spec, SteadyTime deadline) = 0;

  // Bytes of the token's random generator.
  virtual Result<Bytes> GenerateRandom(std::size_t size_bytes, SteadyTime deadline) = 0;

  // CKA_ID of every secret key on the token, as of the last scan and what was made since.
  virtual std::vector<Bytes> ListKeys() const = 0;

  // MACs that wait for the token or are under way on it.
  virtual std::size_t outstanding() const = 0;

  // Sessions that are open on the token for MACs and for keys being made or destroyed.
  virtual std::size_t open_sessions() const = 0;
  // How many may be open, as far as the token has told.
  virtual std::size_t session_budget() const = 0;

  virtual RecoveryCounts recoveries() const = 0;

  // MACs that the token never answered.
  virtual HungCalls hung_calls() const = 0;

  // Nothing: the token is called in this process.
  virtual std::optional<TokenHosts> hosts() const { return std::nullopt; }
};

}  // namespace hallmark
