#include "service/app/key_creation.h"

#include "keystate/ids.h"
#include "service/app/token_use.h"

#include <array>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

// For removing what a failed creation left, apart from the caller's own deadline.
constexpr std::chrono::seconds kUndoLimit{5};

// The records of one key while it is being made.
struct Draft {
  KeyRecord key;
  MaterialRecord material;
  BindingRecord binding;
  std::vector<TagRecord> tags{};
  StoredPolicyPtr policy{};
  std::optional<ClientTokenRecord> retry{};

  void Stamp(Revision revision) {
    key.revision = material.revision = binding.revision = revision;
    for (TagRecord& tag : tags) tag.revision = revision;
    if (retry) retry->revision = revision;
  }
};

Result<Draft> MakeDraft(Engine& engine, NewKey wanted) {
  std::array<std::byte, 16> random{};
  engine.random.Fill(random);
  const KeyId id = KeyId::FromRandom(random);
  Draft draft{
      .key = {.id = id,
              .account = wanted.account,
              .spec = wanted.spec,
              .description = std::move(wanted.description),
              .created = engine.clock.Now(),
              .policy_hash = wanted.policy->record.hash},
      .material = {.key_id = id},
      .binding = {
          .key_id = id, .token_id = wanted.token->id(), .creator_instance = engine.instance_id}};
  draft.policy = std::move(wanted.policy);
  engine.random.Fill(draft.binding.cka_id);
  HALLMARK_RETURN_IF_ERROR(MergeTags(id, wanted.tags, &draft.tags));
  if (wanted.retry) {
    draft.retry = ClientTokenRecord{wanted.retry->principal_id, wanted.retry->client_token,
                                    wanted.retry->request_hash, id};
  }
  return draft;
}

// Whether the token may still be making the object of a failed generation.
enum class Generation { kOver, kPerhapsUnderWay };

// Removes what `draft` left on token and in store. The `creating` binding stays where that fails,
// and while the object may still come into being: it is all that names the object, and the next
// start removes both. Only the client token is always freed, for the caller's retry.
// Whether nothing is left.
bool Undo(Engine& engine, Hsm& hsm, const Draft& draft, Generation generation) {
  std::vector<StoreWrite> writes;
  bool destroyed = false;
  if (draft.retry) writes.push_back(Remove(*draft.retry));
  if (generation == Generation::kOver &&
      hsm.DestroyKey(draft.binding.cka_id, engine.clock.SteadyNow() + kUndoLimit)) {
    destroyed = true;
    writes.insert(writes.end(), {Remove(draft.binding), Remove(draft.material), Remove(draft.key)});
    for (const TagRecord& tag : draft.tags) writes.push_back(Remove(tag));
  }
  return engine.store.Commit(writes).has_value() && destroyed;
}

Result<KeyRecord> Make(Engine& engine, NewKey wanted, SteadyTime deadline) {
  // Asked before anything is written: refusals must not leave records behind.
  if (!wanted.token->usable()) return NotUsable(*wanted.token);
  Hsm& hsm = wanted.token->hsm();
  HALLMARK_ASSIGN_OR_RETURN(KeyQuota::Place place,
                            engine.key_quota.Take(wanted.account, wanted.token->id()));
  HALLMARK_ASSIGN_OR_RETURN(Draft draft, MakeDraft(engine, std::move(wanted)));
  std::vector<StoreWrite> intent{Put(draft.policy->record), Put(draft.key), Put(draft.material),
                                 Put(draft.binding)};
  for (const TagRecord& tag : draft.tags) intent.push_back(Put(tag));
  if (draft.retry) intent.push_back(Put(*draft.retry));
  const Result<Revision> intended = engine.store.Commit(intent);
  if (!intended) {
    if (intended.error().exception != Exception::kConflictException) {
      return Unexpected(intended.error());
    }
    // Random ids do not clash; the client token is on disk from an earlier try whose end is
    // unknown.
    return Fail(Exception::kDependencyTimeoutException,
                "What became of an earlier request with this client token is not known before the "
                "next start of the service; use a new one.");
  }
  draft.Stamp(*intended);

  Result<GeneratedKey> generated = hsm.GenerateKey(draft.binding.cka_id, draft.key.spec, deadline);
  if (!generated) {
    // The token is waited for until the deadline, no longer.
    const bool undone = Undo(
        engine, hsm, draft,
        engine.clock.SteadyNow() < deadline ? Generation::kOver : Generation::kPerhapsUnderWay);
    // Or short deadlines would be a way round the quota.
    if (!undone) place.Keep();
    return Unexpected(std::move(generated).error());
  }

  Draft finished = draft;
  finished.material.check_value = generated->check_value;
  finished.binding.state = BindingState::kReady;
  finished.binding.local = generated->local;
  finished.binding.verified_at = engine.clock.Now();
  const std::array writes{Put(finished.key), Put(finished.material), Put(finished.binding)};
  // Nothing is undone when this fails: the commit may be on disk all the same, and then the key
  // must have its object. The next start knows which it is.
  HALLMARK_ASSIGN_OR_RETURN(const Revision ready, engine.store.Commit(writes));
  finished.key.revision = finished.material.revision = finished.binding.revision = ready;
  engine.keys.Publish(std::make_shared<const KeyView>(
      KeyView{finished.key,
              KeyArn(engine.site, finished.key.account, finished.key.id),
              finished.material,
              {finished.binding},
              finished.tags,
              {},
              finished.policy}));
  // After the key is visible: a retry that finds the answer must find the key.
  if (finished.retry) engine.client_tokens.Complete(*finished.retry);
  return finished.key;
}

// The key as the first answer described it: what a request can change later is taken from the
// request.
Result<KeyRecord> FirstAnswer(const Engine& engine, const NewKey& wanted) {
  const auto id = engine.client_tokens.Find(wanted.retry->principal_id, wanted.retry->client_token);
  const KeyViewPtr view = id ? engine.keys.Find(*id) : nullptr;
  if (view == nullptr) {
    return Fail(Exception::kNotFoundException,
                "The key that this client token made does not exist any more.");
  }
  KeyRecord key = view->key;
  key.state = KeyState::kEnabled;
  key.description = wanted.description;
  key.deletion_date.reset();
  return key;
}

}  // namespace

Result<KeyRecord> CreateKeyOnce(Engine& engine, NewKey wanted, SteadyTime deadline) {
  if (!wanted.retry) return Make(engine, std::move(wanted), deadline);

  const std::string principal = wanted.retry->principal_id;
  const std::string token = wanted.retry->client_token;
  switch (engine.client_tokens.TryClaim(principal, token, wanted.retry->request_hash)) {
    case ClientTokens::Claim::kAnswered:
      return FirstAnswer(engine, wanted);
    case ClientTokens::Claim::kInProgress:
      return Fail(Exception::kDependencyTimeoutException,
                  "A request with this client token is still under way; repeat it in a moment.");
    case ClientTokens::Claim::kMismatch:
      return Fail(Exception::kValidationException,
                  "The client token was used with a different request; use a new one.");
    case ClientTokens::Claim::kFirst:
      break;
  }
  Result<KeyRecord> key = Make(engine, std::move(wanted), deadline);
  if (!key) engine.client_tokens.Abandon(principal, token);
  return key;
}

}  // namespace hallmark::app
