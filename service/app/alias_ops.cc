#include "keystate/key_state.h"
#include "service/app/operation_functions.h"
#include "service/app/pipeline.h"

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace hallmark::app {
namespace {

// Source: KMS developer guide, "Resource quotas".
constexpr std::size_t kMaxAliasesPerKey = 50;

// Puts the alias into the store, and the key with it, so that whoever changes the key or its
// aliases at the same time is noticed: the loser decides again.
Status Attach(Engine& engine, CallContext& call, const AliasName& name,
              const std::string& target_key_id) {
  const AccountId& account = call.caller->record.arn.account();
  const std::string alias_arn = AliasArn(engine.site, account, name.text());
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, AdmitKey(engine, call, target_key_id));
  if (engine.keys.FindAlias(account, name.text())) {
    return Fail(Exception::kAlreadyExistsException,
                "An alias with the name " + alias_arn + " already exists");
  }
  const std::size_t usage = engine.keys.CountAliasesOf(view->key.id);
  if (usage >= kMaxAliasesPerKey) {
    return Fail(Exception::kLimitExceededException,
                "Aliases per key quota for this account in this region is " +
                    std::to_string(kMaxAliasesPerKey) + ", current usage is " +
                    std::to_string(usage) + ".");
  }
  const WallTime now = engine.clock.Now();
  AliasRecord alias{account, name.text(), view->key.id, now, now};
  HALLMARK_ASSIGN_OR_RETURN(const Revision revision,
                            engine.store.Commit(std::array{Put(alias), Put(view->key)}));
  alias.revision = revision;
  engine.keys.PublishAlias(alias);
  auto next = std::make_shared<KeyView>(*view);
  next->key.revision = revision;
  engine.keys.Publish(std::move(next));
  return {};
}

}  // namespace

Status CreateAlias(Engine& engine, CallContext& call, const v1::CreateAliasRequest& request,
                   v1::CreateAliasResponse* /*response*/) {
  HALLMARK_ASSIGN_OR_RETURN(const AliasName name, AliasName::Parse(request.alias_name()));
  const AccountId& account = call.caller->record.arn.account();
  if (request.target_key_id().starts_with("alias/") ||
      request.target_key_id().find(":alias/") != std::string::npos) {
    return Fail(Exception::kValidationException, "Aliases must refer to keys. Not aliases");
  }
  // Both the alias and the key must be the caller's to use.
  HALLMARK_RETURN_IF_ERROR(
      AuthorizeResource(call, account, AliasArn(engine.site, account, name.text())));
  for (;;) {
    Status attached = Attach(engine, call, name, request.target_key_id());
    const bool lost = !attached && attached.error().exception == Exception::kConflictException;
    if (!lost || engine.clock.SteadyNow() >= call.deadline) return attached;
    // The winner's change is durable, and about to be visible.
    std::this_thread::yield();
  }
}

}  // namespace hallmark::app
