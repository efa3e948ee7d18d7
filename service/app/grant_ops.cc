// Operations on grants: thin, since what a grant may be and who may end it are rules of
// keystate/grants.
#include "keystate/grants/grant_principals.h"
#include "keystate/grants/grant_rules.h"
#include "keystate/grants/grant_token.h"
#include "keystate/key_state.h"
#include "service/app/access.h"
#include "service/app/enum_names.h"
#include "service/app/operation_functions.h"
#include "service/app/operations.h"
#include "service/app/optimistic.h"
#include "service/app/paging.h"
#include "service/app/pipeline.h"
#include "service/app/retirement.h"
#include "service/app/sha256.h"
#include "service/app/timestamps.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

// Source: KMS API reference, ListGrants and ListRetirableGrants.
constexpr PageSize kGrantPage{.usual = 50, .most = 100};

// The grants of a key and the key itself go into the store together: whoever changes either at the
// same time is noticed.
Status CommitGrants(Engine& engine, StoreWrite write, const KeyView& view, GrantSet grants,
                    GrantRecord* made) {
  auto next = std::make_shared<KeyView>(view);
  HALLMARK_ASSIGN_OR_RETURN(const Revision revision,
                            engine.store.Commit(std::array{std::move(write), Put(next->key)}));
  next->key.revision = revision;
  if (made != nullptr) {
    made->revision = revision;
    grants = grants.With(*made);
  }
  next->grants = std::move(grants);
  engine.keys.Publish(std::move(next));
  return {};
}

void Fill(const Engine& engine, const GrantRecord& grant, const std::string& key_arn,
          v1::GrantListEntry* entry) {
  entry->set_key_id(key_arn);
  entry->set_grant_id(grant.id.ToString());
  if (!grant.name.empty()) entry->set_name(grant.name);
  *entry->mutable_creation_date() = ToProto(grant.created);
  entry->set_grantee_principal(ShownPrincipal(grant.grantee_id, grant.grantee, engine.principals));
  if (!grant.retiring_id.empty()) {
    entry->set_retiring_principal(
        ShownPrincipal(grant.retiring_id, grant.retiring, engine.principals));
  }
  entry->set_issuing_account("arn:" + engine.site.partition +
                             ":iam::" + std::string(grant.issuing_account.text()) + ":root");
  for (const Operation operation : grant.operations) {
    entry->add_operations(ToGrantOperation(operation));
  }
  if (!grant.source_arn.empty()) entry->mutable_constraints()->set_source_arn(grant.source_arn);
}

// What policies may judge of a CreateGrant, and the words they borrow.
struct GrantWords {
  explicit GrantWords(const v1::CreateGrantRequest& request) {
    // Each once, however often it is sent: what policies judge costs time.
    for (const int operation : request.operations()) {
      const std::string_view name = KmsNameOf(static_cast<v1::GrantOperation>(operation));
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    for (const std::string_view name : names) texts.emplace_back(name);
  }
  // A principal has one ARN and several spellings: where it is known whom the grant names, its ARN
  // is judged. `drafted` is null where the request does not come to a grant.
  RequestContext Context(const Engine& engine, const v1::CreateGrantRequest& request,
                         const GrantRecord* drafted) {
    grantee = request.grantee_principal();
    retiring = request.retiring_principal();
    if (drafted != nullptr) {
      grantee = ShownPrincipal(drafted->grantee_id, drafted->grantee, engine.principals);
      retiring = ShownPrincipal(drafted->retiring_id, drafted->retiring, engine.principals);
    }
    RequestContext context;
    context.grant_operations = ValueList(texts);
    context.grantee_principal = grantee;
    if (request.has_retiring_principal()) context.retiring_principal = retiring;
    context.grant_is_for_aws_resource = false;
    return context;
  }

  std::vector<std::string_view> names;
  std::vector<std::string> texts;
  std::string grantee;
  std::string retiring;
};

// Random, or for a client token always the same: a retry finds what the first request made, however
// long ago that was.
GrantId NewGrantId(const Engine& engine, const CallContext& call, const KeyId& key_id,
                   const v1::CreateGrantRequest& request) {
  if (request.has_client_token()) {
    std::string text = engine.store_id + '\0' + call.caller->record.unique_id + '\0';
    text += key_id.ToString() + '\0' + request.client_token();
    return *GrantId::Parse(Sha256Hex(text));
  }
  std::array<std::byte, 32> random{};
  engine.random.Fill(random);
  return GrantId::FromRandom(random);
}

Result<GrantRecord> Draft(const Engine& engine, const CallContext& call, const KeyId& key_id,
                          const v1::CreateGrantRequest& request, const GrantWords& words) {
  const v1::GrantConstraints& constraints = request.constraints();
  const GrantRequest wanted{
      .operations = words.names,
      .has_encryption_context = constraints.encryption_context_equals_size() > 0 ||
                                constraints.encryption_context_subset_size() > 0,
      .source_arn = constraints.source_arn(),
      .grantee = request.grantee_principal(),
      .retiring = request.retiring_principal(),
      .name = request.name()};
  const GrantOrigin origin{.id = NewGrantId(engine, call, key_id, request),
                           .key_id = key_id,
                           .issuing_account = call.caller->record.arn.account(),
                           .now = engine.clock.Now()};
  return DraftGrant(wanted, origin, engine.site, engine.principals);
}

struct KeyAndGrant {
  KeyViewPtr view;
  GrantPtr grant;
};

// The grant that is about to end by its own rules, for whoever asks. Another account must not learn
// from its key and id whether they exist: it is refused like somebody whom the grant gives nothing.
Result<KeyAndGrant> FindByKeyAndId(const Engine& engine, CallContext& call, std::string_view key_id,
                                   std::string_view grant_id) {
  const AccountId& home = call.caller->record.arn.account();
  HALLMARK_ASSIGN_OR_RETURN(
      const KeyReference reference,
      ParseKeyReference(key_id, engine.site, home, Row(call.operation).key_ids));
  HALLMARK_ASSIGN_OR_RETURN(KeyViewPtr view, LookUpKey(engine, call, key_id));
  Result<GrantPtr> grant = FindGrant(view == nullptr ? GrantSet() : view->grants, grant_id);
  if (grant) return KeyAndGrant{std::move(view), *std::move(grant)};
  if (reference.account != home && grant.error().exception == Exception::kNotFoundException) {
    HALLMARK_RETURN_IF_ERROR(
        AuthorizeResource(engine, call, call.operation, reference.account, key_id));
  }
  return Unexpected(std::move(grant).error());
}

// Whoever has a token of a grant knows that there was one.
Result<KeyAndGrant> FindByToken(const Engine& engine, const std::string& text) {
  HALLMARK_ASSIGN_OR_RETURN(const GrantToken token,
                            OpenGrantToken(engine.sealer, engine.store_id, text));
  KeyViewPtr view = engine.keys.Find(token.key_id);
  HALLMARK_ASSIGN_OR_RETURN(GrantPtr grant, FindGrant(view == nullptr ? GrantSet() : view->grants,
                                                      token.grant_id.text()));
  return KeyAndGrant{std::move(view), std::move(grant)};
}

// Whether the caller may retire the grant: the grant says who, and policies may take it away.
Status AuthorizeRetirement(const Engine& engine, CallContext& call, const KeyView& view,
                           const GrantRecord& grant) {
  const RequestContext context;
  const Retirement retirement({engine, call, *call.caller, Operation::kRetireGrant, context}, view,
                              grant);
  const Decision decision = retirement.Decide();
  call.decided_by = DecidedBy(decision);
  if (decision.allowed) return {};
  return Unexpected(AccessDenied(retirement.access(), decision));
}

}  // namespace

Status CreateGrant(Engine& engine, CallContext& call, const v1::CreateGrantRequest& request,
                   v1::CreateGrantResponse* response) {
  GrantWords words(request);
  return UntilWon(engine, call, [&]() -> Status {
    // Policies decide first; only where they do not allow must a parent cover the child.
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr named, LookUpKey(engine, call, request.key_id()));
    Result<GrantRecord> drafted = named == nullptr
                                      ? Result<GrantRecord>(Fail(Exception::kAccessDeniedException))
                                      : Draft(engine, call, named->key.id, request, words);
    const GrantRecord* const child = drafted ? &*drafted : nullptr;
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, AdmitKey(engine, call, request.key_id(),
                                                              words.Context(engine, request, child),
                                                              &request.grant_tokens(), child));
    // Refused only now: who may not make a grant learns nothing of principals.
    if (!drafted) return Unexpected(std::move(drafted).error());
    GrantRecord grant = *std::move(drafted);
    const GrantPtr same_token = view->grants.Find(grant.id);
    if (same_token != nullptr && !AreAlike(*same_token, grant)) {
      return Fail(Exception::kValidationException,
                  "The client token was used with a different request; use a new one.");
    }
    if (const GrantPtr repeated =
            same_token != nullptr ? same_token : view->grants.FindRepeated(grant)) {
      grant = *repeated;
      if (request.dry_run()) return DryRunPassed();
    } else {
      HALLMARK_RETURN_IF_ERROR(CheckGrantQuota(view->grants));
      if (request.dry_run()) return DryRunPassed();
      HALLMARK_RETURN_IF_ERROR(CommitGrants(engine, Put(grant), *view, view->grants, &grant));
    }
    response->set_grant_id(grant.id.ToString());
    response->set_grant_token(SealGrantToken(
        engine.sealer, engine.store_id, {view->key.id, grant.id, grant.revision}, engine.random));
    return {};
  });
}

Status ListGrants(Engine& engine, CallContext& call, const v1::ListGrantsRequest& request,
                  v1::ListGrantsResponse* response) {
  RequestContext context;
  context.grant_is_for_aws_resource = false;
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                            AdmitKey(engine, call, request.key_id(), context));
  std::optional<GrantPrincipal> grantee;
  if (request.has_grantee_principal()) {
    HALLMARK_ASSIGN_OR_RETURN(
        grantee, ResolveGrantPrincipal(request.grantee_principal(), PrincipalMember::kGranteeFilter,
                                       engine.site, engine.principals));
  }
  std::optional<GrantId> only;
  if (request.has_grant_id()) {
    only = GrantId::Parse(request.grant_id());
    if (!only) return Unexpected(FindGrant(view->grants, request.grant_id()).error());
  }
  const std::string filter =
      view->arn + ' ' + (grantee ? grantee->unique_id : "") + ' ' + (only ? only->ToString() : "");
  HALLMARK_ASSIGN_OR_RETURN(const Page page, Page::Open(engine, call.operation, view->key.account,
                                                        filter, request, kGrantPage));
  std::vector<GrantPtr> grants;
  if (only) {
    const GrantPtr grant = view->grants.Find(*only);
    const bool wanted = grant != nullptr && (!grantee || grant->grantee_id == grantee->unique_id);
    if (wanted) grants.push_back(grant);
  } else {
    const std::optional<GrantId> after = GrantId::Parse(page.after());
    grants = grantee ? view->grants.ListTo(grantee->unique_id, after, page.to_fetch())
                     : view->grants.List(after, page.to_fetch());
  }
  const bool truncated = page.Truncates(grants.size());
  if (truncated) grants.pop_back();
  for (const GrantPtr& grant : grants) Fill(engine, *grant, view->arn, response->add_grants());
  page.Close(truncated, truncated ? grants.back()->id.text() : std::string_view(), response);
  return {};
}

Status ListRetirableGrants(Engine& engine, CallContext& call,
                           const v1::ListRetirableGrantsRequest& request,
                           v1::ListRetirableGrantsResponse* response) {
  const AccountId& account = call.caller->record.arn.account();
  HALLMARK_RETURN_IF_ERROR(AuthorizeAccount(engine, call, call.operation));
  // Another account's principal is refused before it is looked up, so that its existence is not
  // told.
  const std::string& named = request.retiring_principal();
  std::optional<AccountId> owner = AccountId::Parse(named);
  if (const auto arn = PrincipalArn::Parse(named, engine.site)) owner = arn->account();
  if (owner && *owner != account) {
    return AuthorizeResource(engine, call, call.operation, *owner, named);
  }
  HALLMARK_ASSIGN_OR_RETURN(const GrantPrincipal retiring,
                            ResolveGrantPrincipal(named, PrincipalMember::kRetiringFilter,
                                                  engine.site, engine.principals));
  if (retiring.account != account) {
    // Named by its id: as if there were none.
    return Fail(Exception::kNotFoundException,
                "Retiring principal " + named + " could not be found");
  }
  HALLMARK_ASSIGN_OR_RETURN(const Page page, Page::Open(engine, call.operation, account,
                                                        retiring.unique_id, request, kGrantPage));
  std::optional<GrantPlace> after;
  if (const std::size_t gap = page.after().find(' '); gap != std::string::npos) {
    const auto key_id = KeyId::Parse(page.after().substr(0, gap));
    const auto grant_id = GrantId::Parse(page.after().substr(gap + 1));
    if (key_id && grant_id) after = GrantPlace{*key_id, *grant_id};
  }
  auto found = engine.keys.ListRetirableGrants(retiring.unique_id, after, page.to_fetch());
  const bool truncated = page.Truncates(found.size());
  if (truncated) found.pop_back();
  for (const auto& [view, grant] : found) {
    Fill(engine, *grant, view->arn, response->add_grants());
  }
  const std::string last =
      truncated ? found.back().grant->key_id.ToString() + ' ' + found.back().grant->id.ToString()
                : std::string();
  page.Close(truncated, last, response);
  return {};
}

Status RetireGrant(Engine& engine, CallContext& call, const v1::RetireGrantRequest& request,
                   v1::RetireGrantResponse* /*response*/) {
  const bool by_id = request.has_key_id() && request.has_grant_id();
  const bool by_id_in_part = request.has_key_id() || request.has_grant_id();
  if (request.has_grant_token() ? by_id_in_part : !by_id) {
    return Fail(Exception::kValidationException,
                "Either GrantToken, or both KeyId and GrantId must be given.");
  }
  // What was asked for, where the key itself stays unknown.
  call.key_arn = request.key_id();
  return UntilWon(engine, call, [&]() -> Status {
    HALLMARK_ASSIGN_OR_RETURN(
        const KeyAndGrant found,
        by_id ? FindByKeyAndId(engine, call, request.key_id(), request.grant_id())
              : FindByToken(engine, request.grant_token()));
    const auto& [view, grant] = found;
    call.key_arn = view->arn;
    HALLMARK_RETURN_IF_ERROR(AuthorizeRetirement(engine, call, *view, *grant));
    HALLMARK_RETURN_IF_ERROR(
        CheckState(call.operation, view->key.state, view->key.origin, view->arn, KeyRole::kTarget));
    if (request.dry_run()) return DryRunPassed();
    return CommitGrants(engine, Remove(*grant), *view, view->grants.Without(grant->id), nullptr);
  });
}

Status RevokeGrant(Engine& engine, CallContext& call, const v1::RevokeGrantRequest& request,
                   v1::RevokeGrantResponse* /*response*/) {
  RequestContext context;
  context.grant_is_for_aws_resource = false;
  return UntilWon(engine, call, [&]() -> Status {
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                              AdmitKey(engine, call, request.key_id(), context));
    HALLMARK_ASSIGN_OR_RETURN(const GrantPtr grant, FindGrant(view->grants, request.grant_id()));
    if (request.dry_run()) return DryRunPassed();
    return CommitGrants(engine, Remove(*grant), *view, view->grants.Without(grant->id), nullptr);
  });
}

}  // namespace hallmark::app
