#include "keystate/key_state.h"
#include "proto/kms_names.h"
#include "service/app/enum_names.h"
#include "service/app/key_creation.h"
#include "service/app/key_policy.h"
#include "service/app/operation_functions.h"
#include "service/app/paging.h"
#include "service/app/pipeline.h"
#include "service/app/sha256.h"
#include "service/app/tags.h"
#include "service/app/timestamps.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

// Source: KMS API reference, ListKeys.
constexpr PageSize kKeyPage{.usual = 100, .most = 1000};

void FillMetadata(const KeyRecord& key, const std::string& arn, v1::KeyMetadata* metadata) {
  const KeySpecRow& spec = Row(key.spec);
  metadata->set_aws_account_id(std::string(key.account.text()));
  metadata->set_key_id(key.id.ToString());
  metadata->set_arn(arn);
  *metadata->mutable_creation_date() = ToProto(key.created);
  metadata->set_enabled(key.state == KeyState::kEnabled);
  metadata->set_description(key.description);
  metadata->set_key_usage(v1::KEY_USAGE_GENERATE_VERIFY_MAC);
  metadata->set_key_state(ToProto(key.state));
  if (key.deletion_date) {
    *metadata->mutable_deletion_date() = ToProto(*key.deletion_date);
  }
  metadata->set_origin(ToProto(key.origin));
  metadata->set_key_manager(v1::KEY_MANAGER_TYPE_CUSTOMER);
  metadata->set_customer_master_key_spec(ToProto(key.spec));
  metadata->set_key_spec(ToProto(key.spec));
  metadata->add_mac_algorithms(ToProto(spec.algorithm));
  metadata->set_multi_region(key.id.multi_region());
}

void FillHolders(const Engine& engine, const KeyView& view, v1::DescribeKeyResponse* response) {
  std::size_t configured = 0;
  for (const BindingRecord& binding : view.bindings) {
    const TokenSet::Token* const token = engine.tokens.Find(binding.token_id);
    v1::KeyHolder* holder = response->add_holders();
    holder->set_token(binding.token_id);
    holder->set_available(token != nullptr && token->usable());
    *holder->mutable_verified() = ToProto(binding.verified_at);
    if (token != nullptr) ++configured;
  }
  response->set_can_fail_over(configured > 1);
}

std::string_view KmsNameOf(v1::KeySpec spec) {
  return proto::KmsName(*v1::KeySpec_descriptor()->FindValueByNumber(spec));
}
std::string_view KmsNameOf(v1::KeyUsage usage) {
  return proto::KmsName(*v1::KeyUsage_descriptor()->FindValueByNumber(usage));
}

Status Unsupported(const std::string& what) {
  return Fail(Exception::kUnsupportedOperationException, what);
}

// By value, not by presence: zero says nothing, however it was sent. What policies judge and what
// is made is the same.
v1::KeySpec WantedSpec(const v1::CreateKeyRequest& request) {
  if (request.key_spec() != v1::KEY_SPEC_UNSPECIFIED) return request.key_spec();
  if (request.customer_master_key_spec() != v1::KEY_SPEC_UNSPECIFIED) {
    return request.customer_master_key_spec();
  }
  return v1::KEY_SPEC_SYMMETRIC_DEFAULT;
}

// The spec that the request asks for, by the rules of KMS.
Result<KeySpec> RequestedSpec(const v1::CreateKeyRequest& request) {
  const bool has_spec = request.key_spec() != v1::KEY_SPEC_UNSPECIFIED;
  const bool has_old_spec = request.customer_master_key_spec() != v1::KEY_SPEC_UNSPECIFIED;
  if (has_spec && has_old_spec) {
    return Fail(Exception::kValidationException,
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
                "CustomerMasterKeySpec is deprecated.");
  }
  const v1::KeySpec spec = WantedSpec(request);
  v1::KeyUsage usage = request.key_usage();
  if (usage == v1::KEY_USAGE_UNSPECIFIED) {
    if (spec != v1::KEY_SPEC_SYMMETRIC_DEFAULT) {
      return Fail(Exception::kValidationException,
                  "You must specify a KeyUsage value for all KMS keys except for symmetric "
                  "encryption keys.");
    }
    usage = v1::KEY_USAGE_ENCRYPT_DECRYPT;
  }
  const std::optional<KeySpec> hmac = FromProto(spec);
  if (hmac.has_value() != (usage == v1::KEY_USAGE_GENERATE_VERIFY_MAC)) {
    return Fail(Exception::kValidationException, "KeyUsage " + std::string(KmsNameOf(usage)) +
                                                     " is not compatible with KeySpec " +
                                                     std::string(KmsNameOf(spec)));
  }
  if (!hmac) {
    return Fail(
        Exception::kUnsupportedOperationException,
        "Hallmark makes HMAC keys only: ask for KeyUsage GENERATE_VERIFY_MAC and a KeySpec of "
        "HMAC_224, HMAC_256, HMAC_384 or HMAC_512.");
  }
  return *hmac;
}

// The token that is to make the key.
Result<const TokenSet::Token*> RequestedToken(const Engine& engine,
                                              const v1::CreateKeyRequest& request) {
  if (!request.has_token()) return &engine.tokens.default_token();
  if (const TokenSet::Token* const token = engine.tokens.Find(request.token())) return token;
  return Fail(Exception::kValidationException,
              "There is no token '" + request.token() + "': name one of the configuration.");
}

// What is part of KMS and not of Hallmark is refused, never ignored.
Status CheckSupported(const v1::CreateKeyRequest& request) {
  if (request.origin() == v1::ORIGIN_TYPE_AWS_CLOUDHSM ||
      request.origin() == v1::ORIGIN_TYPE_EXTERNAL_KEY_STORE || request.has_custom_key_store_id() ||
      request.has_xks_key_id()) {
    return Unsupported("HMAC keys cannot be created in a custom key store.");
  }
  if (request.origin() == v1::ORIGIN_TYPE_EXTERNAL) {
    return Unsupported("Hallmark does not import key material: leave out Origin.");
  }
  if (request.multi_region()) {
    return Unsupported("Hallmark serves one Region: leave out MultiRegion.");
  }
  return {};
}

// What policies may judge of a CreateKey, and the words it borrows.
struct NewKeyWords {
  explicit NewKeyWords(const v1::CreateKeyRequest& request) : tags(request.tags()) {}
  RequestContext Context(const v1::CreateKeyRequest& request) const {
    RequestContext context;
    context.key_spec = FromProto(WantedSpec(request));
    context.key_usage = KeyUsage::kGenerateVerifyMac;
    context.key_origin = Origin::kAwsKms;
    context.multi_region = request.multi_region();
    context.bypass_policy_lockout_safety_check = request.bypass_policy_lockout_safety_check();
    tags.FillIn(&context);
    return context;
  }

  const TagWords tags;
};

// The policy of a key that is about to be made. Who may make a key may set its first policy.
Result<StoredPolicyPtr> FirstPolicy(const Engine& engine, const CallContext& call,
                                    const v1::CreateKeyRequest& request,
                                    const RequestContext& context) {
  const AccountId& account = call.caller->record.arn.account();
  if (!request.has_policy()) return DefaultPolicyOf(engine.policies, engine.site, account);
  HALLMARK_ASSIGN_OR_RETURN(StoredPolicyPtr policy, CompileKeyPolicy(engine, request.policy()));
  if (!request.bypass_policy_lockout_safety_check()) {
    HALLMARK_RETURN_IF_ERROR(
        CheckLockoutFor(engine, call, account, "*", context, policy->compiled));
  }
  return policy;
}

}  // namespace

Status CreateKey(Engine& engine, CallContext& call, const v1::CreateKeyRequest& request,
                 v1::CreateKeyResponse* response) {
  const AccountId& account = call.caller->record.arn.account();
  HALLMARK_RETURN_IF_ERROR(CheckTags(request.tags()));
  const NewKeyWords words(request);
  const RequestContext context = words.Context(request);
  HALLMARK_RETURN_IF_ERROR(AuthorizeAccount(engine, call, call.operation, context));
  // There is no key yet whose policy could allow it.
  if (request.tags_size() > 0) {
    HALLMARK_RETURN_IF_ERROR(AuthorizeAccount(engine, call, Operation::kTagResource, context));
  }
  HALLMARK_ASSIGN_OR_RETURN(const KeySpec spec, RequestedSpec(request));
  HALLMARK_RETURN_IF_ERROR(CheckSupported(request));
  HALLMARK_ASSIGN_OR_RETURN(StoredPolicyPtr policy, FirstPolicy(engine, call, request, context));

  HALLMARK_ASSIGN_OR_RETURN(const TokenSet::Token* const token, RequestedToken(engine, request));
  call.token_id = token->id();

  NewKey wanted{account, spec, request.description(), request.tags(), std::move(policy), {}, token};
  if (request.has_client_token()) {
    wanted.retry = RetryToken{call.caller->record.unique_id, request.client_token(),
                              Sha256Hex(request.SerializeAsString())};
  }
  HALLMARK_ASSIGN_OR_RETURN(const KeyRecord key,
                            CreateKeyOnce(engine, std::move(wanted), call.deadline));
  call.key_arn = KeyArn(engine.site, account, key.id);
  FillMetadata(key, call.key_arn, response->mutable_key_metadata());
  return {};
}

Status DescribeKey(Engine& engine, CallContext& call, const v1::DescribeKeyRequest& request,
                   v1::DescribeKeyResponse* response) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                            AdmitKey(engine, call, request.key_id(), {}, &request.grant_tokens()));
  FillMetadata(view->key, view->arn, response->mutable_key_metadata());
  // Where an account keeps its keys is not for others.
  if (view->key.account == call.caller->record.arn.account()) FillHolders(engine, *view, response);
  return {};
}

Status ListKeys(Engine& engine, CallContext& call, const v1::ListKeysRequest& request,
                v1::ListKeysResponse* response) {
  const AccountId& account = call.caller->record.arn.account();
  HALLMARK_RETURN_IF_ERROR(AuthorizeAccount(engine, call, call.operation));
  HALLMARK_ASSIGN_OR_RETURN(const Page page,
                            Page::Open(engine, call.operation, account, "", request, kKeyPage));
  std::vector<KeyViewPtr> views =
      engine.keys.List(account, KeyId::Parse(page.after()), page.to_fetch());
  const bool truncated = page.Truncates(views.size());
  if (truncated) views.pop_back();
  for (const KeyViewPtr& view : views) {
    v1::KeyListEntry* entry = response->add_keys();
    entry->set_key_id(view->key.id.ToString());
    entry->set_key_arn(view->arn);
  }
  page.Close(truncated, truncated ? views.back()->key.id.ToString() : "", response);
  return {};
}

Status GetKeyLastUsage(Engine& engine, CallContext& call, const v1::GetKeyLastUsageRequest& request,
                       v1::GetKeyLastUsageResponse* response) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, AdmitKey(engine, call, request.key_id()));
  response->set_key_id(view->arn);
  // Uses are noted from a key's first moment on.
  *response->mutable_tracking_start_date() = ToProto(view->key.created);
  *response->mutable_key_creation_date() = ToProto(view->key.created);
  v1::KeyLastUsageData* usage = response->mutable_key_last_usage();
  if (const auto last = engine.last_usage.Find(view->key.id)) {
    usage->set_operation(last->operation == Operation::kVerifyMac
                             ? v1::KEY_LAST_USAGE_TRACKING_OPERATION_VERIFY_MAC
                             : v1::KEY_LAST_USAGE_TRACKING_OPERATION_GENERATE_MAC);
    *usage->mutable_timestamp() = ToProto(last->time);
    usage->set_kms_request_id(last->request_id);
  }
  return {};
}

}  // namespace hallmark::app
