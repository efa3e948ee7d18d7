#include "keystate/principal_directory.h"

#include "keystate/grants/grant_caller.h"

#include <utility>

namespace hallmark {
namespace {

template <class Map, class Key>
std::shared_ptr<const Principal> Lookup(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second;
}

// A namesake may have been added since: its entry is not ours to erase.
template <class Map, class Key>
void EraseEntryOf(const std::shared_ptr<const Principal>& principal, const Key& key, Map& map) {
  const auto found = map.find(key);
  if (found != map.end() && found->second == principal) map.erase(found);
}

std::string RoleKey(const AccountId& account, std::string_view name) {
  std::string key(account.text());
  return key.append(" ").append(name);
}

}  // namespace

Caller CallerOf(const Principal& principal) {
  const GrantCaller who = GrantCaller::Of(principal.record);
  Caller caller{principal.record.arn.text(), who.account, who.unique_id};
  caller.identity_policy = principal.policy.get();
  caller.permissions_boundary = principal.boundary.get();
  caller.session_policy = principal.session_policy.get();
  caller.role_id = who.role_id;
  // A role is itself what its sessions have the role in.
  if (who.is_session) {
    caller.role_arn = principal.is_session() ? std::string_view(principal.role_arn) : caller.arn;
  }
  caller.tags = TagList(principal.is_session() ? principal.session_tags : principal.record.tags);
  return caller;
}

PrincipalDirectory::PrincipalDirectory() : index_(std::make_shared<const Index>()) {}

std::shared_ptr<const Principal> PrincipalDirectory::FindByFingerprint(
    const CertificateFingerprint& fingerprint) const {
  return Lookup(index_.Load()->by_fingerprint, fingerprint);
}

std::shared_ptr<const Principal> PrincipalDirectory::FindBySpiffeId(
    std::string_view spiffe_id) const {
  return Lookup(index_.Load()->by_spiffe_id, spiffe_id);
}

std::shared_ptr<const Principal> PrincipalDirectory::FindByAccessKey(
    std::string_view access_key_id) const {
  return Lookup(index_.Load()->by_access_key, access_key_id);
}

std::shared_ptr<const Principal> PrincipalDirectory::FindByArn(std::string_view arn) const {
  return Lookup(index_.Load()->by_arn, arn);
}

std::shared_ptr<const Principal> PrincipalDirectory::FindByUniqueId(
    std::string_view unique_id) const {
  return Lookup(index_.Load()->by_id, unique_id);
}

std::shared_ptr<const Principal> PrincipalDirectory::FindRole(const AccountId& account,
                                                              std::string_view name) const {
  return Lookup(index_.Load()->roles, RoleKey(account, name));
}

std::vector<std::shared_ptr<const Principal>> PrincipalDirectory::SessionsOf(
    std::string_view role_id) const {
  const auto index = index_.Load();
  std::vector<std::shared_ptr<const Principal>> sessions;
  for (auto next = index->sessions.lower_bound({std::string(role_id), ""});
       next != index->sessions.end() && next->first == role_id; ++next) {
    sessions.push_back(Lookup(index->by_id, next->second));
  }
  return sessions;
}

bool PrincipalDirectory::KnowsAccount(const AccountId& account) const {
  return index_.Load()->principals_of_account.contains(account);
}

std::vector<std::shared_ptr<const Principal>> PrincipalDirectory::List() const {
  const auto index = index_.Load();
  std::vector<std::shared_ptr<const Principal>> principals;
  principals.reserve(index->by_arn.size());
  for (const auto& [arn, principal] : index->by_arn) principals.push_back(principal);
  return principals;
}

void PrincipalDirectory::Erase(Index& index, const std::string& unique_id) {
  const std::shared_ptr<const Principal> old = Lookup(index.by_id, unique_id);
  if (old == nullptr) return;
  for (const CertificateRecord& certificate : old->certificates) {
    EraseEntryOf(old, certificate.fingerprint, index.by_fingerprint);
  }
  for (const AccessKeyRecord& key : old->access_keys) {
    EraseEntryOf(old, key.access_key_id, index.by_access_key);
  }
  const PrincipalArn& arn = old->record.arn;
  EraseEntryOf(old, old->record.spiffe_id, index.by_spiffe_id);
  EraseEntryOf(old, arn.text(), index.by_arn);
  if (arn.kind() == PrincipalKind::kRole) {
    EraseEntryOf(old, RoleKey(arn.account(), arn.role_name()), index.roles);
  }
  index.sessions.erase({old->record.role_id, unique_id});
  const auto count = index.principals_of_account.find(arn.account());
  if (--count->second == 0) index.principals_of_account.erase(count);
  index.by_id.erase(unique_id);
}

void PrincipalDirectory::Insert(Index& index, const std::shared_ptr<const Principal>& principal) {
  for (const CertificateRecord& certificate : principal->certificates) {
    index.by_fingerprint[certificate.fingerprint] = principal;
  }
  for (const AccessKeyRecord& key : principal->access_keys) {
    index.by_access_key[key.access_key_id] = principal;
  }
  if (!principal->record.spiffe_id.empty()) {
    index.by_spiffe_id[principal->record.spiffe_id] = principal;
  }
  index.by_arn[principal->record.arn.text()] = principal;
  index.by_id[principal->record.unique_id] = principal;
  const PrincipalArn& arn = principal->record.arn;
  if (arn.kind() == PrincipalKind::kRole) {
    index.roles[RoleKey(arn.account(), arn.role_name())] = principal;
  }
  if (!principal->record.role_id.empty()) {
    index.sessions.emplace(principal->record.role_id, principal->record.unique_id);
  }
  ++index.principals_of_account[arn.account()];
}

void PrincipalDirectory::Load(const std::vector<std::shared_ptr<const Principal>>& principals) {
  auto next = std::make_shared<Index>();
  for (const auto& principal : principals) Insert(*next, principal);
  MutexLock lock(writers_mu_);
  index_.Publish(std::move(next));
}

void PrincipalDirectory::Publish(const std::shared_ptr<const Principal>& principal) {
  Publish(std::vector{principal});
}

void PrincipalDirectory::Publish(const std::vector<std::shared_ptr<const Principal>>& principals) {
  MutexLock lock(writers_mu_);
  auto next = std::make_shared<Index>(*index_.Load());
  for (const auto& principal : principals) {
    Erase(*next, principal->record.unique_id);
    Insert(*next, principal);
  }
  index_.Publish(std::move(next));
}

void PrincipalDirectory::Withdraw(const std::string& unique_id) {
  MutexLock lock(writers_mu_);
  auto next = std::make_shared<Index>(*index_.Load());
  Erase(*next, unique_id);
  index_.Publish(std::move(next));
}

}  // namespace hallmark
