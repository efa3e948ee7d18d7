// Who may call: the principals in memory.
#pragma once

#include "keystate/policy/policy.h"
#include "keystate/records.h"
#include "keystate/snapshot.h"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark {

// A principal with its compiled policies. Immutable; a change makes a new one.
struct Principal {
  PrincipalRecord record;
  // What it may do; of an assumed-role session its role's. Null: none.
  std::shared_ptr<const Policy> policy;
  std::string policy_document;  // as it was given; empty: none
  std::vector<CertificateRecord> certificates;
  std::vector<AccessKeyRecord> access_keys;
  // What limits it; null: nothing does. Of an assumed-role session its role's boundary, and its own
  // document as its session policy.
  std::shared_ptr<const Policy> boundary{};
  std::shared_ptr<const Policy> session_policy{};
  std::string boundary_document{};  // as it was given; of a session empty
  // Of an assumed-role session its role's; empty otherwise.
  std::string role_arn{};
  // Of an assumed-role session its role's tags and its own; others have those of their records.
  std::vector<PrincipalTag> session_tags{};

  bool is_session() const { return !record.role_id.empty(); }
};

// The principal as authorization sees it. Borrows from it.
Caller CallerOf(const Principal& principal);

// Thread-safety: every method may be called from any thread.
class PrincipalDirectory {
 public:
  PrincipalDirectory();

  // The principal to whom this certificate belongs, or null.
  std::shared_ptr<const Principal> FindByFingerprint(
      const CertificateFingerprint& fingerprint) const;
  std::shared_ptr<const Principal> FindBySpiffeId(std::string_view spiffe_id) const;
  std::shared_ptr<const Principal> FindByAccessKey(std::string_view access_key_id) const;
  std::shared_ptr<const Principal> FindByArn(std::string_view arn) const;
  std::shared_ptr<const Principal> FindByUniqueId(std::string_view unique_id) const;
  // The role of this name, whatever its path.
  std::shared_ptr<const Principal> FindRole(const AccountId& account, std::string_view name) const;
  // The sessions of a role, in the order of their unique ids; they end with it.
  std::vector<std::shared_ptr<const Principal>> SessionsOf(std::string_view role_id) const;
  // Whether any principal belongs to the account.
  bool KnowsAccount(const AccountId& account) const;
  // In the order of their ARNs.
  std::vector<std::shared_ptr<const Principal>> List() const;

  // Replaces everything; for the start, since each Publish copies the index.
  void Load(const std::vector<std::shared_ptr<const Principal>>& principals);
  // Adds the principal or replaces the one with its unique id.
  void Publish(const std::shared_ptr<const Principal>& principal);
  // The same for several: whoever looks sees all of them or none.
  void Publish(const std::vector<std::shared_ptr<const Principal>>& principals);
  void Withdraw(const std::string& unique_id);

 private:
  struct Index {
    std::map<std::string, std::shared_ptr<const Principal>, std::less<>> by_arn;
    std::map<std::string, std::shared_ptr<const Principal>, std::less<>> by_id;
    std::map<CertificateFingerprint, std::shared_ptr<const Principal>> by_fingerprint;
    std::map<std::string, std::shared_ptr<const Principal>, std::less<>> by_spiffe_id;
    std::map<std::string, std::shared_ptr<const Principal>, std::less<>> by_access_key;
    // "<account> <name>", without the path.
    std::map<std::string, std::shared_ptr<const Principal>, std::less<>> roles;
    // Role and session by unique ids.
    std::set<std::pair<std::string, std::string>> sessions;
    std::map<AccountId, std::size_t> principals_of_account;
  };
  static void Insert(Index& index, const std::shared_ptr<const Principal>& principal);
  static void Erase(Index& index, const std::string& unique_id);

  // Held by writers while they make the next version from the current one; readers never wait for
  // it.
  Mutex writers_mu_;
  Snapshot<Index> index_;
};

}  // namespace hallmark
