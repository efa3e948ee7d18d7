// Signatures that a service before this one may have let count.
#pragma once

#include "keystate/clock.h"
#include "keystate/key_store.h"
#include "keystate/mutex.h"
#include "keystate/records.h"
#include "keystate/result.h"
#include "service/authn/signing_time.h"

#include <chrono>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace hallmark::authn {

// Thread-safety: every method may be called from any thread.
class SignatureMarks {
 public:
  virtual ~SignatureMarks() = default;

  // Signatures of this access key up to here may have been used before this service began. Does not
  // block.
  virtual SigningTime UsedUntil(std::string_view access_key_id) const = 0;

  // Makes durable that a signature of this time, which is still to come on our clock, is used: the
  // service after this one may begin before it is past.
  //
  // Errors: DependencyTimeoutException when the store cannot be written; then it must not count.
  virtual Status Raise(std::string_view access_key_id, SigningTime signed_at) = 0;
};

// Marks in the store, one for each access key whose client's clock is ahead.
class StoredSignatureMarks final : public SignatureMarks {
 public:
  // A mark is put so far beyond what it is for: one commit does for as long, and a client whose
  // clock is ahead waits no longer after a restart.
  static constexpr std::chrono::seconds kStep{5};

  // `began`: when the store was already ours alone, so that no other service let a signature count
  // any more. The store outlives it.
  StoredSignatureMarks(KeyStore& store, std::span<const SignatureMarkRecord> records,
                       WallTime began);

  // Removes from the store the marks that are past.
  Status RemovePast() HALLMARK_EXCLUDES(mu_);

  SigningTime UsedUntil(std::string_view access_key_id) const override;
  Status Raise(std::string_view access_key_id, SigningTime signed_at) override
      HALLMARK_EXCLUDES(mu_);

  // The second in which it began: no signature of it counts.
  SigningTime began() const { return began_; }

 private:
  using Times = std::map<std::string, SigningTime, std::less<>>;
  using Records = std::map<std::string, SignatureMarkRecord, std::less<>>;

  KeyStore& store_;
  const SigningTime began_;
  Times used_until_;  // those beyond began_; never changed after construction
  Mutex mu_;          // held while the store is written: a second call relies on the first's mark
  Records stored_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark::authn
