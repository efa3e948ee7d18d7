#include "service/app/deletion_sweeper.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <memory>
#include <utility>

namespace hallmark::app {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::hours kMaxJump{1};
// A token that does not answer holds up the sweep this long for each key.
constexpr std::chrono::seconds kDestroyLimit{5};
// Keys that one sweep ends, so that a year's worth of them does not keep the token busy.
constexpr std::size_t kMaxPerSweep = 100;

// Keys that an earlier run has ended and did not destroy.
std::vector<KeyView> CondemnedIn(const StoreImage& image) {
  std::map<KeyId, KeyView> condemned;
  for (const BindingRecord& binding : image.bindings) {
    if (binding.state != BindingState::kDestroying) continue;
    const auto key =
        std::find_if(image.keys.begin(), image.keys.end(),
                     [&](const KeyRecord& record) { return record.id == binding.key_id; });
    const auto material =
        std::find_if(image.materials.begin(), image.materials.end(),
                     [&](const MaterialRecord& record) { return record.key_id == binding.key_id; });
    if (key == image.keys.end() || material == image.materials.end()) continue;
    auto [entry, inserted] = condemned.try_emplace(
        key->id, KeyView{*key, KeyArn(image.meta.site, key->account, key->id), *material, {}, {}});
    entry->second.bindings.push_back(binding);
  }
  std::vector<KeyView> keys;
  for (auto& [id, key] : condemned) keys.push_back(std::move(key));
  return keys;
}

std::string Minutes(milliseconds jump) {
  return std::to_string(std::chrono::duration_cast<std::chrono::minutes>(jump).count()) +
         " minutes";
}

}  // namespace

DeletionSweeper::DeletionSweeper(const Parts& parts, const StoreImage& image, Listener listener)
    : parts_(parts),
      listener_(std::move(listener)),
      condemned_(CondemnedIn(image)),
      being_destroyed_(condemned_.size()) {
  if (!image.sweeper.empty()) record_ = image.sweeper.front();
}

DeletionSweeper::State DeletionSweeper::state() const {
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  const std::size_t due = parts_.keys.DueForDeletion(parts_.clock.Now(), kAll).size();
  MutexLock lock(mu_);
  return {record_.halted, record_.time_seen, due, being_destroyed_};
}

Status DeletionSweeper::Write(SweeperRecord next) {
  HALLMARK_ASSIGN_OR_RETURN(next.revision, parts_.store.Commit(std::array{Put(next)}));
  MutexLock lock(mu_);
  record_ = next;
  return {};
}

bool DeletionSweeper::TimeIsPlausible(WallTime now) {
  const SteadyTime steady = parts_.clock.SteadyNow();
  SweeperRecord next;
  milliseconds jump{0};
  {
    MutexLock lock(mu_);
    if (record_.halted) return false;
    next = record_;
    if (baseline_) {
      jump = now - baseline_->wall -
             std::chrono::duration_cast<milliseconds>(steady - baseline_->steady);
    } else if (record_.revision != 0) {
      jump = now - record_.time_seen;  // nobody watched in between
    }
  }
  next.halted = abs(jump) > kMaxJump;
  if (!next.halted) next.time_seen = std::max(next.time_seen, now);
  if (const Status written = Write(next); !written.has_value()) {
    listener_(Event::kWaiting,
              "deletion sweeper: nothing is destroyed before the time can be stored: " +
                  ToString(written.error()));
    return false;
  }
  if (next.halted) {
    listener_(Event::kHalted,
              "deletion sweeper: halted, since the clock has jumped by " + Minutes(jump) +
                  "; no key is destroyed before the clock is checked and `hallmark sweeper resume` "
                  "is run");
    return false;
  }
  MutexLock lock(mu_);
  if (!baseline_) baseline_ = Baseline{now, steady};
  return true;
}

Status DeletionSweeper::Resume() {
  const WallTime now = parts_.clock.Now();
  const SteadyTime steady = parts_.clock.SteadyNow();
  SweeperRecord next;
  {
    MutexLock lock(mu_);
    next = record_;
  }
  next.halted = false;
  next.time_seen = now;
  HALLMARK_RETURN_IF_ERROR(Write(next));
  {
    MutexLock lock(mu_);
    baseline_ = Baseline{now, steady};
  }
  listener_(Event::kResumed, "deletion sweeper: resumed; keys past their date are destroyed");
  return {};
}

void DeletionSweeper::Condemn(const KeyViewPtr& view) {
  KeyView key = *view;
  std::vector<StoreWrite> writes{Put(key.key)};
  for (BindingRecord& binding : key.bindings) {
    binding.state = BindingState::kDestroying;
    writes.push_back(Put(binding));
  }
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  const std::vector<AliasRecord> aliases =
      parts_.keys.ListAliases(key.key.account, key.key.id, "", kAll);
  for (const AliasRecord& alias : aliases) writes.push_back(Remove(alias));
  for (const TagRecord& tag : key.tags) writes.push_back(Remove(tag));
  const auto client_token = parts_.client_tokens.FindByKey(key.key.id);
  if (client_token) writes.push_back(Remove(*client_token));

  const Result<Revision> revision = parts_.store.Commit(writes);
  if (!revision.has_value()) {
    // Whoever changed the key meanwhile was heard; if it is still due, the next sweep finds it.
    if (revision.error().exception != Exception::kConflictException) {
      listener_(Event::kWaiting, "deletion sweeper: " + key.arn +
                                     " is not destroyed yet: " + ToString(revision.error()));
    }
    return;
  }
  parts_.keys.Remove(key.key.id);
  for (const AliasRecord& alias : aliases) parts_.keys.RemoveAlias(alias);
  if (client_token) parts_.client_tokens.Forget(*client_token);

  key.key.revision = *revision;
  for (BindingRecord& binding : key.bindings) binding.revision = *revision;
  key.tags.clear();
  condemned_.push_back(std::move(key));
}

bool DeletionSweeper::Destroy(KeyView& key) {
  std::vector<StoreWrite> writes;
  for (const BindingRecord& binding : key.bindings) {
    Status destroyed;
    if (binding.token_id != parts_.hsm.token_id()) {
      destroyed = Fail(Exception::kDependencyTimeoutException, "The token is not configured.",
                       "token " + binding.token_id);
    } else if (binding.owned) {
      destroyed = parts_.hsm.DestroyKey(binding.cka_id, parts_.clock.SteadyNow() + kDestroyLimit);
    }
    if (!destroyed.has_value()) {
      listener_(Event::kWaiting, "deletion sweeper: " + key.arn +
                                     " has ended, and its object on token " + binding.token_id +
                                     " is not destroyed yet: " + ToString(destroyed.error()));
      return false;
    }
    writes.push_back(Remove(binding));
  }
  writes.push_back(Remove(key.material));
  writes.push_back(Remove(key.key));
  const auto usage = parts_.last_usage.Find(key.key.id);
  if (usage && usage->revision != 0) writes.push_back(Remove(*usage));
  const Result<Revision> removed = parts_.store.Commit(writes);
  if (!removed.has_value()) {
    listener_(Event::kWaiting, "deletion sweeper: " + key.arn +
                                   " is destroyed, and its records are not removed yet: " +
                                   ToString(removed.error()));
    return false;
  }
  parts_.last_usage.Forget(key.key.id);
  listener_(Event::kDestroyed, "deletion sweeper: " + key.arn + " has been destroyed");
  return true;
}

void DeletionSweeper::DestroyCondemned(const std::stop_token& stop) {
  std::erase_if(condemned_, [&](KeyView& key) { return !stop.stop_requested() && Destroy(key); });
  MutexLock lock(mu_);
  being_destroyed_ = condemned_.size();
}

void DeletionSweeper::Sweep(const std::stop_token& stop) {
  const WallTime now = parts_.clock.Now();
  if (TimeIsPlausible(now)) {
    for (const KeyId& id : parts_.keys.DueForDeletion(now, kMaxPerSweep)) {
      if (stop.stop_requested()) return;
      if (const KeyViewPtr view = parts_.keys.Find(id)) Condemn(view);
    }
  }
  DestroyCondemned(stop);
}

}  // namespace hallmark::app
