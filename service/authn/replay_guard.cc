#include "service/authn/replay_guard.h"

#include <algorithm>

namespace hallmark::authn {

ReplayGuard::ReplayGuard(ReplayLimits limits, std::chrono::seconds window, SignatureMarks& marks)
    : limits_(limits), window_(window), marks_(marks) {}

void ReplayGuard::Forget(WallTime now) {
  while (!seen_.empty() && seen_.begin()->first.first + window_ < now) {
    const auto oldest = seen_.begin();
    forgotten_until_ = std::max(forgotten_until_, oldest->first.first);
    if (--oldest->second->second == 0) counts_.erase(oldest->second);
    seen_.erase(oldest);
  }
}

Status ReplayGuard::Admit(std::string_view access_key_id, const Sha256Digest& signature,
                          SigningTime signed_at, WallTime now) {
  HALLMARK_RETURN_IF_ERROR(Remember(access_key_id, signature, signed_at, now));
  // Past, it would be before the second in which the service after this one begins.
  if (signed_at <= now) return {};
  return marks_.Raise(access_key_id, signed_at);
}

Status ReplayGuard::Remember(std::string_view access_key_id, const Sha256Digest& signature,
                             SigningTime signed_at, WallTime now) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const MutexLock lock(mu_);
  Forget(now);
  const SigningTime unknown_until = std::max(forgotten_until_, marks_.UsedUntil(access_key_id));
  if (signed_at <= unknown_until) {
    Error unknown = Throttled(unknown_until - signed_at + seconds(1),
                              "the signature is from before what the replay guard knows");
    unknown.message =
        "The signature of this request is from before this service began to remember signatures, "
        "so it may have been used. Sign the request again; if that does not help, your clock is "
        "behind.";
    return Unexpected(std::move(unknown));
  }
  const Seen seen(signed_at, signature);
  if (seen_.contains(seen)) {
    Error used = Throttled(seconds(1), "a signature was used again");
    used.message =
        "The signature of this request was used before, and what changes something takes each "
        "signature once. Sign the request again, a second later or with a header of its own.";
    return Unexpected(std::move(used));
  }
  const auto known = counts_.find(access_key_id);
  const std::size_t held = known == counts_.end() ? 0 : known->second;
  if (held >= std::min(limits_.per_access_key, limits_.total - seen_.size())) {
    // When the next is forgotten, whosever it is.
    const milliseconds wait =
        seen_.empty()
            ? milliseconds(window_)
            : std::chrono::floor<milliseconds>(seen_.begin()->first.first + window_ - now);
    Error full = Throttled(std::max(wait, milliseconds(seconds(1))),
                           "the replay guard's memory is full for this access key");
    full.message =
        "So many requests that change something were signed with this access key in the last "
        "minutes that no more signatures can be remembered. Make them more slowly, or by another "
        "access key.";
    return Unexpected(std::move(full));
  }
  const auto owner = counts_.try_emplace(std::string(access_key_id), 0).first;
  ++owner->second;
  seen_.emplace(seen, owner);
  return {};
}

std::size_t ReplayGuard::size() const {
  const MutexLock lock(mu_);
  return seen_.size();
}

}  // namespace hallmark::authn
