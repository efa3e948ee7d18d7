// The steps between a valid request and its effect, in their one order: identifier → lookup →
// authorization → key state. Operations are built from them.
#pragma once

#include "keystate/authorize.h"
#include "keystate/grants/grant_set.h"
#include "keystate/key_state.h"
#include "keystate/key_view.h"
#include "service/app/call_context.h"
#include "service/app/engine.h"

#include <google/protobuf/repeated_field.h>

#include <string>
#include <string_view>

namespace hallmark::app {

// The grant tokens of a request; null: it has none.
using GrantTokens = const google::protobuf::RepeatedPtrField<std::string>*;

// What a decision leaves for the log.
struct DecisionNote {
  // The key, once it is found; else what was asked for, if that names a key or an alias at all.
  std::string key_arn;
  // The statement or grant that decided, with its kind; empty: nothing matched.
  std::string decided_by;
};

// Who asks for what; `caller` is looked up again when a decision is taken again.
struct KeyRequest {
  const CallContext& call;
  const Principal& caller;
  Operation operation;
  KeyIdForms accepted = KeyIdForms::kKeyOnly;
  // As in the request: any of the accepted forms.
  std::string_view key_id;
  KeyRole role = KeyRole::kTarget;
  GrantTokens grant_tokens = nullptr;
  // What the request says itself, for the conditions of policies; the rest is filled in here.
  RequestContext context{};
  // The grant that is to be made, which a parent among the key's grants may allow.
  const GrantRecord* child = nullptr;
  // Null: nobody asks.
  DecisionNote* note = nullptr;
};

// The key, if the caller may use it for this operation and its state allows it.
//
// Errors: NotFoundException, InvalidArnException, InvalidGrantTokenException,
//   AccessDeniedException, and those of CheckState, in this order. A foreign key that gives nothing
//   is AccessDeniedException whether it exists or not.
Result<KeyViewPtr> DecideOnKey(const Engine& engine, const KeyRequest& request);

// The key that is meant, whoever asks: null if a foreign one does not exist, since a foreign caller
// must not learn that.
//
// Errors: NotFoundException.
Result<KeyViewPtr> FindReferenced(const Engine& engine, const KeyReference& reference,
                                  bool foreign);

// Whether the key's spec has the algorithm.
//
// Errors: InvalidKeyUsageException.
Status CheckAlgorithm(const KeyView& view, MacAlgorithm algorithm);

// The answer to a dry run that got to its end: nothing may stand between it and the effect.
Status DryRunPassed();

// DecideOnKey for a call, which learns the key's ARN and what decided for the log.
Result<KeyViewPtr> AdmitKey(const Engine& engine, CallContext& call, std::string_view key_id,
                            const RequestContext& context = {}, GrantTokens grant_tokens = nullptr,
                            const GrantRecord* child = nullptr);

// The key alone, whoever asks, for operations with rules of their own: null if a foreign one does
// not exist.
//
// Errors: NotFoundException, InvalidArnException.
Result<KeyViewPtr> LookUpKey(const Engine& engine, const CallContext& call,
                             std::string_view key_id);

// Who the caller of a call that has waited is by now.
//
// Errors: UnrecognizedClientException when its access key or certificate was removed, or the
//   certificate has expired, meanwhile.
Result<std::shared_ptr<const Principal>> CurrentCaller(const Engine& engine,
                                                       const CallContext& call);

// Whether the caller may do this with a resource that is not a key.
Status AuthorizeResource(const Engine& engine, CallContext& call, Operation operation,
                         const AccountId& account, std::string_view resource_arn,
                         const RequestContext& context = {});
// For operations that are not bound to a resource.
Status AuthorizeAccount(const Engine& engine, CallContext& call, Operation operation,
                        const RequestContext& context = {});

// The key of the caller's own account by which a list is filtered; its state does not matter.
//
// Errors: as DecideOnKey. A foreign key is AccessDeniedException.
Result<KeyId> FindOwnKey(const Engine& engine, CallContext& call, std::string_view key_id);

}  // namespace hallmark::app
