#include "service/app/deletion_sweeper.h"

#include "service/app/token_use.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <unordered_map>
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
  std::unordered_map<KeyId, KeyView> condemned;
  const auto destroying = [](const BindingRecord& b) {
    return b.state == BindingState::kDestroying;
  };
  if (std::none_of(image.bindings.begin(), image.bindings.end(), destroying)) return {};
  std::unordered_map<KeyId, const KeyRecord*> keys;
  for (const KeyRecord& key : image.keys) keys[key.id] = &key;
  std::unordered_map<KeyId, const MaterialRecord*> materials;
  for (const MaterialRecord& material : image.materials) materials[material.key_id] = &material;
  for (const BindingRecord& binding : image.bindings) {
    const auto key = keys.find(binding.key_id);
    const auto material = materials.find(binding.key_id);
    if (!destroying(binding) || key == keys.end() || material == materials.end()) continue;
    const KeyRecord& record = *key->second;
    const auto entry = condemned.try_emplace(
        record.id,
        KeyView{
            record, KeyArn(image.meta.site, record.account, record.id), *material->second, {}, {}});
    entry.first->second.bindings.push_back(binding);
  }
  std::vector<KeyView> ended;
  ended.reserve(condemned.size());
  for (auto& [id, key] : condemned) ended.push_back(std::move(key));
  return ended;
}

bool IsDue(const KeyRecord& key, WallTime now) {
  return key.state == KeyState::kPendingDeletion && key.deletion_date && *key.deletion_date <= now;
}

Status DestroyOn(const DeletionSweeper::Parts& parts, const BindingRecord& binding) {
  // Somebody else's: released, not destroyed, and the token may be gone for good.
  if (!binding.owned) return {};
  const TokenSet::Token* const token = parts.tokens.Find(binding.token_id);
  if (token == nullptr) {
    return Fail(Exception::kDependencyTimeoutException,
                "The token is not configured; put its section back until its keys are destroyed.",
                "token " + binding.token_id);
  }
  if (!token->usable()) return NotUsable(*token);
  return token->hsm().DestroyKey(binding.cka_id, parts.clock.SteadyNow() + kDestroyLimit);
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

WallTime DeletionSweeper::time_seen() const {
  MutexLock lock(mu_);
  return record_.time_seen;
}

Status DeletionSweeper::Write(SweeperRecord next, const std::optional<Baseline>& baseline) {
  HALLMARK_ASSIGN_OR_RETURN(next.revision, parts_.store.Commit(std::array{Put(next)}));
  MutexLock lock(mu_);
  record_ = next;
  baseline_ = baseline;
  return {};
}

bool DeletionSweeper::TimeIsPlausible(WallTime now) {
  const SteadyTime steady = parts_.clock.SteadyNow();
  SweeperRecord next;
  std::optional<Baseline> baseline;
  {
    MutexLock lock(mu_);
    if (record_.halted) return false;
    next = record_;
    baseline = baseline_;
  }
  milliseconds jump{0};
  if (baseline) {
    jump =
        now - baseline->wall - std::chrono::duration_cast<milliseconds>(steady - baseline->steady);
  } else {
    if (next.revision != 0) jump = now - next.time_seen;  // nobody watched in between
    baseline = Baseline{now, steady};
  }
  next.halted = abs(jump) > kMaxJump;
  if (!next.halted) next.time_seen = std::max(next.time_seen, now);
  if (const Status written = Write(next, baseline); !written.has_value()) {
    listener_(Event::kWaiting,
              "deletion sweeper: nothing is destroyed before the time can be stored: " +
                  ToString(written.error()));
    return false;
  }
  if (next.halted) {
    listener_(Event::kHalted,
              "deletion sweeper: halted, since the clock has jumped by " + Minutes(jump) +
                  "; no further key is ended before the clock is checked and `hallmark sweeper "
                  "resume` is run");
  }
  return !next.halted;
}

Status DeletionSweeper::Resume() {
  const Baseline now{parts_.clock.Now(), parts_.clock.SteadyNow()};
  SweeperRecord next;
  {
    MutexLock lock(mu_);
    next = record_;
  }
  next.halted = false;
  next.time_seen = now.wall;
  HALLMARK_RETURN_IF_ERROR(Write(next, now));
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
  if (!key.grants.empty()) writes.push_back(RemoveGrantsOf(key.key));

  const auto record = ReserveRecord(parts_.audit, nullptr);
  if (!record.has_value()) {
    return listener_(Event::kWaiting, "deletion sweeper: " + key.arn +
                                          " is not destroyed before that can be recorded: " +
                                          ToString(record.error()));
  }
  const SteadyTime started = parts_.clock.SteadyNow();
  const Result<Revision> revision = parts_.store.Commit(writes);
  if (!revision.has_value()) {
    // Whoever changed the key meanwhile was heard; if it is still due, the next sweep finds it.
    if (revision.error().exception != Exception::kConflictException) {
      listener_(Event::kWaiting, "deletion sweeper: " + key.arn +
                                     " is not destroyed yet: " + ToString(revision.error()));
    }
    return;
  }
  const AuditEvent event{
      .source = AuditSource::kService, .name = "DeleteKey", .key_arn = key.arn, .started = started};
  if (const Status recorded = Record(record->get(), event, {}); !recorded.has_value()) {
    listener_(Event::kWaiting,
              "deletion sweeper: " + key.arn +
                  " has ended, and the audit log lacks it: " + ToString(recorded.error()));
  }
  // Names first: who finds none is told so, and not that its key is missing.
  for (const AliasRecord& alias : aliases) parts_.keys.RemoveAlias(alias);
  parts_.keys.Remove(key.key.id);
  if (client_token) parts_.client_tokens.Forget(*client_token);

  key.key.revision = *revision;
  for (BindingRecord& binding : key.bindings) binding.revision = *revision;
  key.tags.clear();
  key.grants = {};
  condemned_.push_back(std::move(key));
}

bool DeletionSweeper::Obstacles::AreInTheWayOf(const KeyView& key) const {
  return store || std::any_of(key.bindings.begin(), key.bindings.end(), [&](const auto& binding) {
           return binding.owned && tokens.contains(binding.token_id);
         });
}

void DeletionSweeper::Destroy(const KeyView& key, Obstacles& obstacles) {
  std::vector<StoreWrite> writes;
  for (const BindingRecord& binding : key.bindings) {
    const Status destroyed = DestroyOn(parts_, binding);
    if (!destroyed.has_value()) {
      listener_(Event::kWaiting, "deletion sweeper: " + key.arn +
                                     " has ended, and its object on token " + binding.token_id +
                                     " is not destroyed yet: " + ToString(destroyed.error()));
      obstacles.tokens.insert(binding.token_id);
      continue;
    }
    writes.push_back(Remove(binding));
  }
  if (obstacles.AreInTheWayOf(key)) return;
  writes.push_back(Remove(key.material));
  writes.push_back(Remove(key.key));
  const auto usage = parts_.last_usage.Find(key.key.id);
  if (usage && usage->revision != 0) writes.push_back(Remove(*usage));
  const Result<Revision> removed = parts_.store.Commit(writes);
  if (!removed.has_value()) {
    listener_(Event::kWaiting, "deletion sweeper: " + key.arn +
                                   " is destroyed, and its records are not removed yet: " +
                                   ToString(removed.error()));
    obstacles.store = true;
    return;
  }
  parts_.last_usage.Forget(key.key.id);
  listener_(Event::kDestroyed, "deletion sweeper: " + key.arn + " has been destroyed");
}

void DeletionSweeper::DestroyCondemned(const std::stop_token& stop, Obstacles& obstacles) {
  std::erase_if(condemned_, [&](const KeyView& key) {
    if (stop.stop_requested() || obstacles.AreInTheWayOf(key)) return false;
    Destroy(key, obstacles);
    return !obstacles.AreInTheWayOf(key);
  });
  MutexLock lock(mu_);
  being_destroyed_ = condemned_.size();
}

void DeletionSweeper::Sweep(const std::stop_token& stop) {
  const WallTime now = parts_.clock.Now();
  const bool plausible = TimeIsPlausible(now);
  Obstacles obstacles;
  // What has ended goes first; no other key is ended that could not be destroyed.
  DestroyCondemned(stop, obstacles);
  if (!plausible) return;
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  std::size_t ended = 0;
  for (const KeyId& id : parts_.keys.DueForDeletion(now, kAll)) {
    if (stop.stop_requested() || ended == kMaxPerSweep) break;
    // Looked at again: its deletion may have been cancelled while others were ended.
    const KeyViewPtr view = parts_.keys.Find(id);
    if (view == nullptr || !IsDue(view->key, now) || obstacles.AreInTheWayOf(*view)) continue;
    Condemn(view);
    ++ended;
  }
  DestroyCondemned(stop, obstacles);
}

}  // namespace hallmark::app
