#include "keystate/key_state.h"
#include "service/app/operation_functions.h"
#include "service/app/optimistic.h"
#include "service/app/paging.h"
#include "service/app/pipeline.h"
#include "service/app/timestamps.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

// Source: KMS developer guide, "Resource quotas".
constexpr std::size_t kMaxAliasesPerKey = 50;
// Source: KMS API reference, ListAliases.
constexpr PageSize kAliasPage{.usual = 50, .most = 100};

std::string ArnOf(const Engine& engine, const CallContext& call, const AliasName& name) {
  return AliasArn(engine.site, call.caller->record.arn.account(), name.text());
}

// Whether the caller may do what it asks with an alias of this name. The key has its own say.
Status AuthorizeAlias(const Engine& engine, CallContext& call, const AliasName& name) {
  return AuthorizeResource(engine, call, call.operation, call.caller->record.arn.account(),
                           ArnOf(engine, call, name));
}

Status CheckTarget(const std::string& key_id) {
  if (key_id.starts_with("alias/") || key_id.find(":alias/") != std::string::npos) {
    return Fail(Exception::kValidationException, "Aliases must refer to keys. Not aliases");
  }
  return {};
}

Status CheckQuota(const Engine& engine, const KeyId& key_id) {
  const std::size_t usage = engine.keys.CountAliasesOf(key_id);
  if (usage < kMaxAliasesPerKey) return {};
  return Fail(Exception::kLimitExceededException,
              "Aliases per key quota for this account in this region is " +
                  std::to_string(kMaxAliasesPerKey) + ", current usage is " +
                  std::to_string(usage) + ".");
}

Result<AliasRecord> FindAlias(const Engine& engine, const CallContext& call,
                              const AliasName& name) {
  auto alias = engine.keys.FindAlias(call.caller->record.arn.account(), name.text());
  if (alias) return *std::move(alias);
  return Fail(Exception::kNotFoundException,
              "Alias " + ArnOf(engine, call, name) + " is not found.");
}

// The key that an alias leaves, if the caller may take the alias away from it. A refusal is on
// record as being about that key; else the call stays about the one that the request names.
Result<KeyViewPtr> AdmitPreviousTarget(const Engine& engine, CallContext& call,
                                       const AliasRecord& alias) {
  const std::string key_id = alias.target.ToString();
  DecisionNote note;
  Result<KeyViewPtr> view = DecideOnKey(engine, {.call = call,
                                                 .caller = *call.caller,
                                                 .operation = call.operation,
                                                 .key_id = key_id,
                                                 .role = KeyRole::kPreviousTarget,
                                                 .note = &note});
  if (!view || call.key_arn.empty()) {
    call.key_arn = std::move(note.key_arn);
    call.decided_by = std::move(note.decided_by);
  }
  return view;
}

// Writes the alias together with the keys that it concerns, so that whoever changes one of them or
// its aliases at the same time is noticed. `publish_alias` gets the new revision, and runs before
// the keys are published: whoever can change them next counts the aliases rightly.
template <class PublishAlias>
Status CommitWithKeys(Engine& engine, StoreWrite alias, const std::vector<KeyViewPtr>& keys,
                      const PublishAlias& publish_alias) {
  std::vector<StoreWrite> writes{std::move(alias)};
  for (const KeyViewPtr& key : keys) writes.push_back(Put(key->key));
  HALLMARK_ASSIGN_OR_RETURN(const Revision revision, engine.store.Commit(writes));
  publish_alias(revision);
  for (const KeyViewPtr& key : keys) {
    auto next = std::make_shared<KeyView>(*key);
    next->key.revision = revision;
    engine.keys.Publish(std::move(next));
  }
  return {};
}

Status PutAlias(Engine& engine, AliasRecord alias, const std::vector<KeyViewPtr>& keys) {
  return CommitWithKeys(engine, Put(alias), keys, [&engine, &alias](Revision revision) {
    alias.revision = revision;
    engine.keys.PublishAlias(alias);
  });
}

}  // namespace

Status CreateAlias(Engine& engine, CallContext& call, const v1::CreateAliasRequest& request,
                   v1::CreateAliasResponse* /*response*/) {
  HALLMARK_ASSIGN_OR_RETURN(const AliasName name, AliasName::Parse(request.alias_name()));
  HALLMARK_RETURN_IF_ERROR(CheckTarget(request.target_key_id()));
  HALLMARK_RETURN_IF_ERROR(AuthorizeAlias(engine, call, name));
  return UntilWon(engine, call, [&]() -> Status {
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                              AdmitKey(engine, call, request.target_key_id()));
    if (engine.keys.FindAlias(view->key.account, name.text())) {
      return Fail(Exception::kAlreadyExistsException,
                  "An alias with the name " + ArnOf(engine, call, name) + " already exists");
    }
    HALLMARK_RETURN_IF_ERROR(CheckQuota(engine, view->key.id));
    const WallTime now = engine.clock.Now();
    return PutAlias(engine, {view->key.account, name.text(), view->key.id, now, now}, {view});
  });
}

Status UpdateAlias(Engine& engine, CallContext& call, const v1::UpdateAliasRequest& request,
                   v1::UpdateAliasResponse* /*response*/) {
  HALLMARK_ASSIGN_OR_RETURN(const AliasName name, AliasName::Parse(request.alias_name()));
  HALLMARK_RETURN_IF_ERROR(CheckTarget(request.target_key_id()));
  HALLMARK_RETURN_IF_ERROR(AuthorizeAlias(engine, call, name));
  return UntilWon(engine, call, [&]() -> Status {
    HALLMARK_ASSIGN_OR_RETURN(AliasRecord alias, FindAlias(engine, call, name));
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr previous, AdmitPreviousTarget(engine, call, alias));
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr target,
                              AdmitKey(engine, call, request.target_key_id()));
    std::vector<KeyViewPtr> keys{target};
    if (target->key.id != previous->key.id) {
      HALLMARK_RETURN_IF_ERROR(CheckQuota(engine, target->key.id));
      keys.push_back(previous);
    }
    alias.target = target->key.id;
    alias.updated = engine.clock.Now();
    return PutAlias(engine, std::move(alias), keys);
  });
}

Status DeleteAlias(Engine& engine, CallContext& call, const v1::DeleteAliasRequest& request,
                   v1::DeleteAliasResponse* /*response*/) {
  HALLMARK_ASSIGN_OR_RETURN(const AliasName name, AliasName::Parse(request.alias_name()));
  HALLMARK_RETURN_IF_ERROR(AuthorizeAlias(engine, call, name));
  return UntilWon(engine, call, [&]() -> Status {
    HALLMARK_ASSIGN_OR_RETURN(const AliasRecord alias, FindAlias(engine, call, name));
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr target,
                              AdmitKey(engine, call, alias.target.ToString()));
    return CommitWithKeys(engine, Remove(alias), {target},
                          [&](Revision) { engine.keys.RemoveAlias(alias); });
  });
}

Status ListAliases(Engine& engine, CallContext& call, const v1::ListAliasesRequest& request,
                   v1::ListAliasesResponse* response) {
  const AccountId& account = call.caller->record.arn.account();
  HALLMARK_RETURN_IF_ERROR(AuthorizeAccount(engine, call, call.operation));
  std::optional<KeyId> of_key;
  if (request.has_key_id()) {
    HALLMARK_ASSIGN_OR_RETURN(of_key, FindOwnKey(engine, call, request.key_id()));
  }
  HALLMARK_ASSIGN_OR_RETURN(
      const Page page, Page::Open(engine, call.operation, account, of_key ? of_key->ToString() : "",
                                  request, kAliasPage));
  std::vector<AliasRecord> aliases =
      engine.keys.ListAliases(account, of_key, page.after(), page.to_fetch());
  const bool truncated = page.Truncates(aliases.size());
  if (truncated) aliases.pop_back();
  for (const AliasRecord& alias : aliases) {
    v1::AliasListEntry* entry = response->add_aliases();
    entry->set_alias_name(alias.name);
    entry->set_alias_arn(AliasArn(engine.site, account, alias.name));
    entry->set_target_key_id(alias.target.ToString());
    *entry->mutable_creation_date() = ToProto(alias.created);
    *entry->mutable_last_updated_date() = ToProto(alias.updated);
  }
  page.Close(truncated, truncated ? aliases.back().name : "", response);
  return {};
}

}  // namespace hallmark::app
