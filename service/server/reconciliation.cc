#include "service/server/reconciliation.h"

#include "keystate/bytes.h"
#include "service/app/key_policy.h"
#include "service/app/token_inventory.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hallmark::service {
namespace {

constexpr std::chrono::seconds kDestroyLimit{10};

// A clone of a token's object has the CKA_ID of the first.
bool SameBinding(const BindingRecord& a, const BindingRecord& b) {
  return a.key_id == b.key_id && a.material_number == b.material_number && a.token_id == b.token_id;
}

// The records that end with an unfinished creation.
std::vector<StoreWrite> RecordsOf(const StoreImage& image, const BindingRecord& unfinished) {
  std::vector<StoreWrite> writes{Remove(unfinished)};
  const bool bound_elsewhere =
      std::any_of(image.bindings.begin(), image.bindings.end(), [&](const BindingRecord& other) {
        return other.key_id == unfinished.key_id && !SameBinding(other, unfinished);
      });
  // A second binding is a life of its own: then only this one was never finished.
  if (bound_elsewhere) return writes;
  for (const MaterialRecord& material : image.materials) {
    if (material.key_id == unfinished.key_id) writes.push_back(Remove(material));
  }
  for (const KeyRecord& key : image.keys) {
    if (key.id == unfinished.key_id) writes.push_back(Remove(key));
  }
  for (const TagRecord& tag : image.tags) {
    if (tag.key_id == unfinished.key_id) writes.push_back(Remove(tag));
  }
  // Or a repeat of the CreateKey would be answered with a key that does not exist.
  for (const ClientTokenRecord& token : image.client_tokens) {
    if (token.key_id == unfinished.key_id) writes.push_back(Remove(token));
  }
  return writes;
}

void Forget(StoreImage& image, const BindingRecord& removed) {
  std::erase_if(image.bindings,
                [&](const BindingRecord& binding) { return SameBinding(binding, removed); });
  const auto names_key = [&](const auto& record) { return record.key_id == removed.key_id; };
  if (std::any_of(image.bindings.begin(), image.bindings.end(), names_key)) return;
  std::erase_if(image.materials, names_key);
  std::erase_if(image.client_tokens, names_key);
  std::erase_if(image.tags, names_key);
  std::erase_if(image.keys, [&](const KeyRecord& key) { return key.id == removed.key_id; });
}

std::vector<BindingRecord> UnfinishedOn(const StoreImage& image, const std::string& token_id,
                                        const std::string& instance_id) {
  std::vector<BindingRecord> unfinished;
  for (const BindingRecord& binding : image.bindings) {
    if (binding.state == BindingState::kCreating && binding.token_id == token_id &&
        binding.creator_instance != instance_id) {
      unfinished.push_back(binding);
    }
  }
  return unfinished;
}

void CompareWithToken(const StoreImage& image, const Hsm& hsm, ReconciliationReport& report,
                      const Notice& notice) {
  const app::TokenInventory inventory = app::TakeInventory(hsm.ListKeys(), image, hsm);
  report.missing = inventory.missing.size();
  for (const BindingRecord& binding : inventory.missing) {
    notice("key " + binding.key_id.ToString() + ": token " + binding.token_id +
           " has no object with CKA_ID " + ToHex(binding.cka_id) +
           "; the key stays and comes back with the object");
  }
  report.orphans = inventory.orphans.size();
  for (const Bytes& id : inventory.orphans) {
    notice("token " + hsm.token_id() + ": no record names the object with CKA_ID " +
           (id.empty() ? "(none)" : ToHex(id)) + "; it is left alone");
  }
}

}  // namespace

Result<ReconciliationReport> Reconcile(StoreImage& image, const std::string& instance_id, Hsm& hsm,
                                       KeyStore& store, const Clock& clock, const Notice& notice) {
  ReconciliationReport report;
  for (const BindingRecord& binding : UnfinishedOn(image, hsm.token_id(), instance_id)) {
    if (binding.owned) {
      const Status destroyed = hsm.DestroyKey(binding.cka_id, clock.SteadyNow() + kDestroyLimit);
      if (!destroyed.has_value()) {
        // The record is all that names the object: it stays until the object is gone.
        ++report.left_open;
        notice("key " + binding.key_id.ToString() +
               ": its unfinished creation stays for now: " + ToString(destroyed.error()));
        continue;
      }
    }
    HALLMARK_RETURN_IF_ERROR(store.Commit(RecordsOf(image, binding)));
    Forget(image, binding);
    ++report.rolled_back;
    notice("key " + binding.key_id.ToString() + ": its creation was cut short and has been undone");
  }
  CompareWithToken(image, hsm, report, notice);
  return report;
}

Status RemoveUnusedPolicies(const StoreImage& image, KeyStore& store) {
  std::set<std::string_view> used;
  for (const KeyRecord& key : image.keys) used.insert(key.policy_hash);
  for (const PrincipalRecord& principal : image.principals) {
    used.insert({principal.policy_hash, principal.boundary_hash});
  }
  std::vector<StoreWrite> writes;
  for (const PolicyRecord& policy : image.policies) {
    if (!used.contains(policy.hash)) writes.push_back(Remove(policy));
  }
  if (writes.empty()) return {};
  HALLMARK_RETURN_IF_ERROR(store.Commit(writes));
  return {};
}

Status LoadKeys(const StoreImage& image, PolicyCache& policies, KeyDirectory& keys) {
  std::map<std::string, const PolicyRecord*> documents;
  for (const PolicyRecord& policy : image.policies) documents[policy.hash] = &policy;
  std::unordered_map<KeyId, std::vector<BindingRecord>> ready;
  for (const BindingRecord& binding : image.bindings) {
    if (binding.state == BindingState::kReady) ready[binding.key_id].push_back(binding);
  }
  std::map<std::pair<KeyId, std::uint32_t>, const MaterialRecord*> materials;
  for (const MaterialRecord& material : image.materials) {
    materials[{material.key_id, material.number}] = &material;
  }
  std::unordered_map<KeyId, std::vector<TagRecord>> tags;
  for (const TagRecord& tag : image.tags) tags[tag.key_id].push_back(tag);
  for (auto& [id, of_key] : tags) {
    std::sort(of_key.begin(), of_key.end(),
              [](const TagRecord& a, const TagRecord& b) { return a.position < b.position; });
  }
  std::unordered_map<KeyId, std::vector<GrantRecord>> grants;
  for (const GrantRecord& grant : image.grants) grants[grant.key_id].push_back(grant);
  std::set<KeyId> published;
  for (const KeyRecord& key : image.keys) {
    const auto bindings = ready.find(key.id);
    const auto material = materials.find({key.id, key.current_material});
    if (bindings == ready.end() || material == materials.end()) continue;
    const std::string arn = KeyArn(image.meta.site, key.account, key.id);
    const auto document = documents.find(key.policy_hash);
    if (document == documents.end() && !key.policy_hash.empty()) {
      return Fail(Exception::kKMSInternalException, "The store lacks the policy of key " + arn);
    }
    // Keys from before there were policies have none: they have the default one.
    Result<StoredPolicyPtr> policy =
        key.policy_hash.empty() ? app::DefaultPolicyOf(policies, image.meta.site, key.account)
                                : policies.Get(*document->second, PolicyKind::kKey);
    if (!policy) {
      return Fail(
          Exception::kKMSInternalException,
          "The stored policy of key " + arn + " does not compile: " + policy.error().message);
    }
    keys.Publish(std::make_shared<const KeyView>(
        KeyView{key, arn, *material->second, bindings->second, std::move(tags[key.id]),
                GrantSet::Of(std::move(grants[key.id])), *std::move(policy)}));
    published.insert(key.id);
  }
  for (const AliasRecord& alias : image.aliases) {
    if (published.contains(alias.target)) keys.PublishAlias(alias);
  }
  return {};
}

void LoadClientTokens(const StoreImage& image, const KeyDirectory& keys, ClientTokens& tokens) {
  for (const ClientTokenRecord& token : image.client_tokens) {
    // One whose key was never finished answered nobody. Taken for an answer, it would send every
    // retry to a key that does not exist.
    if (keys.Find(token.key_id) != nullptr) tokens.Complete(token);
  }
}

}  // namespace hallmark::service
