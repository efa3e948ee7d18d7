#include "service/app/pipeline.h"

#include "keystate/grants/grant_token.h"
#include "service/app/access.h"
#include "service/app/operations.h"

#include <optional>
#include <utility>

namespace hallmark::app {
namespace {

Unexpected<Error> NoSuchKey(const Site& site, const AccountId& account, const KeyId& id) {
  return Fail(Exception::kNotFoundException,
              "Key '" + KeyArn(site, account, id) + "' does not exist");
}

Status Decide(const AccessRequest& request, std::string* decided_by) {
  const Decision decision = Authorize(request);
  *decided_by = DecidedBy(decision);
  if (decision.allowed) return {};
  return Unexpected(AccessDenied(request, decision));
}

Status CheckGrantTokens(const Engine& engine, GrantTokens tokens) {
  if (tokens == nullptr) return {};
  // What they say of revisions is for replicas: here every grant is visible before its token is
  // out.
  for (const std::string& token : *tokens) {
    HALLMARK_RETURN_IF_ERROR(OpenGrantToken(engine.sealer, engine.store_id, token));
  }
  return {};
}

// The name of the alias by which the key was asked for.
std::optional<std::string_view> AliasOf(const KeyReference& reference) {
  if (const std::string* alias = reference.alias()) return *alias;
  return std::nullopt;
}

}  // namespace

Result<KeyViewPtr> FindReferenced(const Engine& engine, const KeyReference& reference,
                                  bool foreign) {
  if (const std::string* alias = reference.alias()) {
    if (const auto record = engine.keys.FindAlias(reference.account, *alias)) {
      if (KeyViewPtr view = engine.keys.Find(record->target)) return view;
    }
    if (foreign) return KeyViewPtr{};
    return Fail(Exception::kNotFoundException,
                "Alias " + AliasArn(engine.site, reference.account, *alias) + " is not found.");
  }
  KeyViewPtr view = engine.keys.Find(*reference.key_id());
  // A key id is unique, but it is the named account's key or none.
  if (view != nullptr && view->key.account == reference.account) return view;
  if (foreign) return KeyViewPtr{};
  return NoSuchKey(engine.site, reference.account, *reference.key_id());
}

Status CheckAlgorithm(const KeyView& view, MacAlgorithm algorithm) {
  if (Row(view.key.spec).algorithm == algorithm) return {};
  return Fail(Exception::kInvalidKeyUsageException, "Algorithm " + std::string(Name(algorithm)) +
                                                        " is incompatible with key spec " +
                                                        std::string(Name(view.key.spec)) + ".");
}

Status DryRunPassed() {
  return Fail(Exception::kDryRunOperationException,
              "The request would have succeeded, but the DryRun option is set.");
}

Result<KeyViewPtr> DecideOnKey(const Engine& engine, const KeyRequest& request) {
  const AccountId& home = request.caller.record.arn.account();
  HALLMARK_ASSIGN_OR_RETURN(const KeyReference reference,
                            ParseKeyReference(request.key_id, engine.site, home, request.accepted));
  const bool foreign = reference.account != home;
  DecisionNote unread;
  DecisionNote& note = request.note == nullptr ? unread : *request.note;
  note.key_arn = request.key_id;
  HALLMARK_ASSIGN_OR_RETURN(KeyViewPtr view, FindReferenced(engine, reference, foreign));
  if (view != nullptr) note.key_arn = view->arn;
  HALLMARK_RETURN_IF_ERROR(CheckGrantTokens(engine, request.grant_tokens));

  RequestContext context = request.context;
  if (!context.request_alias) context.request_alias = AliasOf(reference);
  const Asker asker{engine, request.call, request.caller, request.operation, context};
  if (view == nullptr) {
    // Judged by what was sent: nothing allows the unknown, and its refusal is that of a key which
    // gives nothing.
    HALLMARK_RETURN_IF_ERROR(
        Decide(Question(asker, reference.account, request.key_id).access(), &note.decided_by));
    return Fail(Exception::kAccessDeniedException);
  }
  HALLMARK_RETURN_IF_ERROR(
      Decide(Question(asker, *view, request.child).access(), &note.decided_by));
  HALLMARK_RETURN_IF_ERROR(
      CheckState(request.operation, view->key.state, view->key.origin, view->arn, request.role));
  return view;
}

Result<KeyViewPtr> AdmitKey(const Engine& engine, CallContext& call, std::string_view key_id,
                            const RequestContext& context, GrantTokens grant_tokens,
                            const GrantRecord* child) {
  DecisionNote note;
  Result<KeyViewPtr> view = DecideOnKey(engine, {.call = call,
                                                 .caller = *call.caller,
                                                 .operation = call.operation,
                                                 .accepted = Row(call.operation).key_ids,
                                                 .key_id = key_id,
                                                 .grant_tokens = grant_tokens,
                                                 .context = context,
                                                 .child = child,
                                                 .note = &note});
  call.key_arn = std::move(note.key_arn);
  call.decided_by = std::move(note.decided_by);
  return view;
}

Result<KeyViewPtr> LookUpKey(const Engine& engine, const CallContext& call,
                             std::string_view key_id) {
  const AccountId& home = call.caller->record.arn.account();
  HALLMARK_ASSIGN_OR_RETURN(
      const KeyReference reference,
      ParseKeyReference(key_id, engine.site, home, Row(call.operation).key_ids));
  return FindReferenced(engine, reference, /*foreign=*/reference.account != home);
}

Result<std::shared_ptr<const Principal>> CurrentCaller(const Engine& engine,
                                                       const CallContext& call) {
  if (!call.access_key_id.empty()) {
    if (auto signer = engine.principals.FindByAccessKey(call.access_key_id)) return signer;
    return Fail(Exception::kUnrecognizedClientException, "The access key is no longer registered.");
  }
  std::shared_ptr<const Principal> caller =
      call.spiffe_id.empty() ? engine.principals.FindByFingerprint(call.fingerprint)
                             : engine.principals.FindBySpiffeId(call.spiffe_id);
  if (caller == nullptr || engine.clock.Now() >= call.credential_expiry) {
    return Fail(Exception::kUnrecognizedClientException,
                "The certificate is no longer registered or has expired.");
  }
  return caller;
}

Status AuthorizeResource(const Engine& engine, CallContext& call, Operation operation,
                         const AccountId& account, std::string_view resource_arn,
                         const RequestContext& context) {
  const Asker asker{engine, call, *call.caller, operation, context};
  return Decide(Question(asker, account, resource_arn).access(), &call.decided_by);
}

Status AuthorizeAccount(const Engine& engine, CallContext& call, Operation operation,
                        const RequestContext& context) {
  return AuthorizeResource(engine, call, operation, call.caller->record.arn.account(), "*",
                           context);
}

Result<KeyId> FindOwnKey(const Engine& engine, CallContext& call, std::string_view key_id) {
  const AccountId& home = call.caller->record.arn.account();
  HALLMARK_ASSIGN_OR_RETURN(
      const KeyReference reference,
      ParseKeyReference(key_id, engine.site, home, Row(call.operation).key_ids));
  if (reference.account != home) {
    HALLMARK_RETURN_IF_ERROR(
        AuthorizeResource(engine, call, call.operation, reference.account, key_id));
  }
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                            FindReferenced(engine, reference, /*foreign=*/false));
  return view->key.id;
}

}  // namespace hallmark::app
