#include "service/app/retirement.h"

namespace hallmark::app {

Retirement::Retirement(const Asker& asker, const KeyView& view, const GrantRecord& grant)
    : may_(MayRetire(grant, GrantCaller::Of(asker.caller.record), view.key.account)),
      question_(asker, view) {
  const AccountId& account = asker.caller.record.arn.account();
  const bool by_grant = may_.right == RetireRight::kByGrant;
  const bool helps = by_grant || account != view.key.account;
  if (may_.right != RetireRight::kNone && helps) {
    // Whom the grant itself lets retire it has the consent of its own account; others need it.
    source_.emplace(GrantMatch{.grant_id = grant.id.text(),
                               .to_session = may_.to_session,
                               .issuing_account = by_grant ? account : view.key.account});
  }
  question_.UseGrants(source_ ? &*source_ : nullptr);
}

Decision Retirement::Decide() const {
  const Decision decision = Authorize(access());
  if (!decision.allowed || may_.right != RetireRight::kNone) return decision;
  return {.refusal = Refusal::kNoIdentityPolicyAllows};
}

}  // namespace hallmark::app
