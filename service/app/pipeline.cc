#include "service/app/pipeline.h"

#include "service/app/operations.h"

#include <utility>

namespace hallmark::app {
namespace {

Unexpected<Error> NoSuchKey(const Site& site, const AccountId& account, const KeyId& id) {
  return Fail(Exception::kNotFoundException,
              "Key '" + KeyArn(site, account, id) + "' does not exist");
}

// Follows an alias to its key. A foreign caller must not learn whether either exists, so what is
// missing there is left to authorization: null, no error.
Result<KeyViewPtr> Find(const Engine& engine, const KeyReference& reference, bool foreign) {
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

Status Authorized(const Principal& principal, Operation operation, const AccountId& account,
                  std::string_view resource_arn) {
  const Caller caller = CallerOf(principal);
  const RequestContext context;
  const AccessRequest request{caller, operation, account, resource_arn, context};
  const Decision decision = Authorize(request);
  if (decision.allowed) return {};
  return Unexpected(AccessDenied(request, decision));
}

}  // namespace

Result<KeyViewPtr> DecideOnKey(const Engine& engine, const KeyRequest& request) {
  const AccountId& home = request.caller.record.arn.account();
  HALLMARK_ASSIGN_OR_RETURN(const KeyReference reference,
                            ParseKeyReference(request.key_id, engine.site, home, request.accepted));
  const bool foreign = reference.account != home;
  HALLMARK_ASSIGN_OR_RETURN(KeyViewPtr view, Find(engine, reference, foreign));
  if (request.has_grant_tokens) {
    // No grants are issued yet, so no token can be one of ours.
    return Fail(Exception::kInvalidGrantTokenException,
                "A grant token of the request was not issued by this service.");
  }
  // A foreign resource is judged by what was sent, not by what it leads to: otherwise a deny on a
  // key would tell whether an alias exists.
  const std::string_view resource = foreign ? request.key_id : std::string_view(view->arn);
  HALLMARK_RETURN_IF_ERROR(
      Authorized(request.caller, request.operation, reference.account, resource));
  // Nothing allows the unknown.
  if (view == nullptr) return Fail(Exception::kAccessDeniedException);
  HALLMARK_RETURN_IF_ERROR(
      CheckState(request.operation, view->key.state, view->key.origin, view->arn, request.role));
  return view;
}

Result<KeyViewPtr> AdmitKey(const Engine& engine, CallContext& call, std::string_view key_id,
                            bool has_grant_tokens) {
  Result<KeyViewPtr> view = DecideOnKey(
      engine,
      {*call.caller, call.operation, Row(call.operation).key_ids, key_id, has_grant_tokens});
  // What was asked for, where the key itself stays unknown.
  call.key_arn = view ? (*view)->arn : std::string(key_id);
  return view;
}

Result<std::shared_ptr<const Principal>> CurrentCaller(const Engine& engine,
                                                       const CallContext& call) {
  std::shared_ptr<const Principal> caller = engine.principals.FindByFingerprint(call.fingerprint);
  if (caller == nullptr || engine.clock.Now() >= call.credential_expiry) {
    return Fail(Exception::kUnrecognizedClientException,
                "The certificate is no longer registered or has expired.");
  }
  return caller;
}

Status AuthorizeResource(const CallContext& call, Operation operation, const AccountId& account,
                         std::string_view resource_arn) {
  return Authorized(*call.caller, operation, account, resource_arn);
}

Status AuthorizeAccount(const CallContext& call, Operation operation) {
  return AuthorizeResource(call, operation, call.caller->record.arn.account(), "*");
}

Result<KeyId> FindOwnKey(const Engine& engine, const CallContext& call, std::string_view key_id) {
  const AccountId& home = call.caller->record.arn.account();
  HALLMARK_ASSIGN_OR_RETURN(
      const KeyReference reference,
      ParseKeyReference(key_id, engine.site, home, Row(call.operation).key_ids));
  if (reference.account != home) {
    HALLMARK_RETURN_IF_ERROR(AuthorizeResource(call, call.operation, reference.account, key_id));
  }
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, Find(engine, reference, /*foreign=*/false));
  return view->key.id;
}

}  // namespace hallmark::app
