#include "keystate/grants/grant_principals.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace hallmark {
namespace {

constexpr std::string_view kFederated = "federated-user/";

std::string Arn(const Site& site, std::string_view service, const AccountId& account,
                std::string_view resource) {
  std::string arn = "arn:" + site.partition + ":";
  arn.append(service).append("::").append(account.text()).append(":").append(resource);
  return arn;
}

std::string Join(std::string_view left, std::string_view right) {
  std::string text(left);
  return text.append(":").append(right);
}

GrantPrincipal Bound(const PrincipalRecord& record) {
  return {record.unique_id, record.arn.text(), record.arn.account()};
}

GrantPrincipal BoundToAccount(const Site& site, const AccountId& account) {
  return {std::string(account.text()), Arn(site, "iam", account, "root"), account};
}

// The name follows the account of "<account>:<name>"; the ARN's characters are the schema's matter.
std::optional<GrantPrincipal> BoundToFederated(const Site& site, const AccountId& account,
                                               std::string_view name,
                                               const PrincipalDirectory& principals) {
  const bool valid = !name.empty() && name.find_first_of(":/") == std::string_view::npos;
  if (!valid || !principals.KnowsAccount(account)) return std::nullopt;
  return GrantPrincipal{Join(account.text(), name),
                        Arn(site, "sts", account, std::string(kFederated).append(name)), account};
}

std::optional<GrantPrincipal> BoundToSession(const Site& site, const Principal& role,
                                             std::string_view session) {
  const PrincipalArn& of_role = role.record.arn;
  std::string resource = "assumed-role/";
  resource.append(of_role.role_name()).append("/").append(session);
  // Tells whether this can be the name of a session.
  const Result<PrincipalArn> arn =
      PrincipalArn::Parse(Arn(site, "sts", of_role.account(), resource), site);
  if (!arn || arn->name() != session) return std::nullopt;
  return GrantPrincipal{Join(role.record.unique_id, session), arn->text(), of_role.account()};
}

std::optional<GrantPrincipal> FindByArn(const PrincipalArn& arn, const Site& site,
                                        const PrincipalDirectory& principals) {
  if (arn.kind() == PrincipalKind::kRoot) {
    if (!principals.KnowsAccount(arn.account())) return std::nullopt;
    return BoundToAccount(site, arn.account());
  }
  if (const auto principal = principals.FindByArn(arn.text())) return Bound(principal->record);
  if (arn.kind() != PrincipalKind::kSession) return std::nullopt;
  const auto role = principals.FindRole(arn.account(), arn.role_name());
  if (role == nullptr) return std::nullopt;
  return BoundToSession(site, *role, arn.name());
}

std::optional<GrantPrincipal> FindByUniqueId(std::string_view id, const Site& site,
                                             const PrincipalDirectory& principals) {
  if (const auto principal = principals.FindByUniqueId(id)) {
    // A root's record may be made anew; its account stays the same.
    if (principal->record.arn.kind() == PrincipalKind::kRoot) {
      return BoundToAccount(site, principal->record.arn.account());
    }
    return Bound(principal->record);
  }
  const std::size_t colon = id.find(':');
  const std::string_view owner = id.substr(0, colon);
  const std::optional<AccountId> account = AccountId::Parse(owner);
  if (colon == std::string_view::npos) {
    if (!account || !principals.KnowsAccount(*account)) return std::nullopt;
    return BoundToAccount(site, *account);
  }
  const std::string_view name = id.substr(colon + 1);
  if (account) return BoundToFederated(site, *account, name, principals);
  const auto role = principals.FindByUniqueId(owner);
  if (role == nullptr || role->record.arn.kind() != PrincipalKind::kRole) return std::nullopt;
  return BoundToSession(site, *role, name);
}

Unexpected<Error> NoSuchArn(std::string_view arn) {
  return Fail(Exception::kInvalidArnException,
              "ARN does not refer to a valid principal: " + std::string(arn));
}

Unexpected<Error> NoSuchId(std::string_view id, PrincipalMember member) {
  switch (member) {
    case PrincipalMember::kGrantee:
      return Fail(Exception::kInvalidArnException,
                  "GranteePrincipal does not refer to a valid principal.");
    case PrincipalMember::kRetiring:
      return Fail(Exception::kInvalidArnException,
                  "RetiringPrincipal does not refer to a valid principal.");
    case PrincipalMember::kGranteeFilter:
      return Fail(Exception::kInvalidArnException, "Input does not refer to a valid principal");
    case PrincipalMember::kRetiringFilter:
      break;
  }
  return Fail(Exception::kNotFoundException,
              "Retiring principal " + std::string(id) + " could not be found");
}

}  // namespace

Result<GrantPrincipal> ResolveGrantPrincipal(std::string_view text, PrincipalMember member,
                                             const Site& site,
                                             const PrincipalDirectory& principals) {
  if (!text.starts_with("arn:")) {
    if (auto bound = FindByUniqueId(text, site, principals)) return *std::move(bound);
    return NoSuchId(text, member);
  }
  const auto invalid = [text] {
    return Fail(Exception::kInvalidArnException, "ARN is not valid: " + std::string(text));
  };
  const std::string sts = "arn:" + site.partition + ":sts::";
  constexpr std::size_t kAccountSize = 12;
  const std::string_view after_sts =
      text.starts_with(sts) ? text.substr(sts.size()) : std::string_view();
  if (after_sts.substr(std::min(after_sts.size(), kAccountSize + 1)).starts_with(kFederated)) {
    const std::optional<AccountId> account = AccountId::Parse(after_sts.substr(0, kAccountSize));
    if (!account || after_sts[kAccountSize] != ':') return invalid();
    auto bound = BoundToFederated(
        site, *account, after_sts.substr(kAccountSize + 1 + kFederated.size()), principals);
    if (!bound) return NoSuchArn(text);
    return *std::move(bound);
  }
  const Result<PrincipalArn> arn = PrincipalArn::Parse(text, site);
  if (!arn) return invalid();
  auto bound = FindByArn(*arn, site, principals);
  if (!bound) return NoSuchArn(text);
  return *std::move(bound);
}

std::string ShownPrincipal(const std::string& unique_id, const std::string& arn,
                           const PrincipalDirectory& principals) {
  const std::string_view owner = std::string_view(unique_id).substr(0, unique_id.find(':'));
  const bool exists = AccountId::Parse(owner).has_value() ||
                      principals.FindByUniqueId(unique_id) != nullptr ||
                      (owner.size() < unique_id.size() && principals.FindByUniqueId(owner));
  return exists ? arn : unique_id;
}

}  // namespace hallmark
