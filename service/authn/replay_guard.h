// Signatures that were used: each counts once for what changes something.
#pragma once

#include "keystate/clock.h"
#include "keystate/mutex.h"
#include "keystate/result.h"
#include "service/authn/signature_marks.h"
#include "service/authn/signing_time.h"
#include "service/authn/sigv4.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::authn {

// Signatures that are remembered at once; one takes some 150 bytes.
struct ReplayLimits {
  // 54 mutating calls a second without a pause.
  std::size_t per_access_key = 16'384;
  std::size_t total = 131'072;
};

// Remembers each signature for as long as it is good. It never guesses: where it cannot know
// whether it saw a signature, the answer is no, and a client that signs anew later gets through.
//
// - An access key may take as much as is left for all others, so that no few of them fill the
//   memory, and `per_access_key` at most.
// - A signature up to its access key's mark may have been used with the guard before this one, and
//   one as old as what was forgotten already (the clock was set back) with this one.
// - A signature of a time to come is marked before it counts, for the guard after this one.
//
// Thread-safety: every method may be called from any thread. Of several calls at once with one
// signature one gets through.
class ReplayGuard {
 public:
  // `window`: how long after its time a signature is good. The marks outlive it.
  ReplayGuard(ReplayLimits limits, std::chrono::seconds window, SignatureMarks& marks);

  // Takes note of a signature, which was found right and within its window.
  //
  // Errors: ThrottlingException, with the time after which to sign anew, when it was used before or
  //   when nobody can tell. Signatures know whole seconds alone: an honest client that repeats
  //   itself within one makes the same signature, and must be told to try again.
  //   DependencyTimeoutException when it could not be marked.
  Status Admit(std::string_view access_key_id, const Sha256Digest& signature, SigningTime signed_at,
               WallTime now);

  std::size_t size() const;

 private:
  using Counts = std::map<std::string, std::size_t, std::less<>>;
  using Seen = std::pair<SigningTime, Sha256Digest>;

  void Forget(WallTime now) HALLMARK_REQUIRES(mu_);
  Status Remember(std::string_view access_key_id, const Sha256Digest& signature,
                  SigningTime signed_at, WallTime now);

  const ReplayLimits limits_;
  const std::chrono::seconds window_;
  SignatureMarks& marks_;
  mutable Mutex mu_;
  // Of which access key each is; in the order in which they are forgotten.
  std::map<Seen, Counts::iterator> seen_ HALLMARK_GUARDED_BY(mu_);
  // INVARIANT: how many of seen_ refer to the entry; never 0.
  Counts counts_ HALLMARK_GUARDED_BY(mu_);
  // What was signed up to here is not known any more.
  SigningTime forgotten_until_ HALLMARK_GUARDED_BY(mu_) = SigningTime::min();
};

}  // namespace hallmark::authn
