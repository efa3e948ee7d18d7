// Who a caller is when a grant is looked for.
#pragma once

#include "keystate/ids.h"
#include "keystate/records.h"

#include <string_view>

namespace hallmark {

// Views into the caller's record, which must outlive this.
struct GrantCaller {
  AccountId account;
  // A grant to a user or a session is bound to its unique id. Empty for a role that calls for
  // itself, which counts as a session that nothing can name.
  std::string_view unique_id;
  // Of a session, its role: a grant to the role helps all of its sessions. Empty otherwise.
  std::string_view role_id{};
  bool is_session = false;
  // A grant to an account is bound to the account's number, and helps its root.
  bool is_root = false;

  static GrantCaller Of(const PrincipalRecord& record) {
    const bool is_role = record.arn.kind() == PrincipalKind::kRole;
    return {.account = record.arn.account(),
            .unique_id = is_role ? std::string_view() : record.unique_id,
            .role_id = is_role ? record.unique_id : record.role_id,
            .is_session = is_role || record.arn.kind() == PrincipalKind::kSession,
            .is_root = record.arn.kind() == PrincipalKind::kRoot};
  }
};

}  // namespace hallmark
