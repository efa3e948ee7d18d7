#include "service/app/token_ops.h"

#include "keystate/bytes.h"
#include "service/app/token_use.h"
#include "service/app/validation.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::app {
namespace {

// How long the token may take to examine an object.
constexpr std::chrono::seconds kExamineLimit{10};

void Fill(const TokenAdmin& admin, const TokenSet::Token& token, v1::Token* out) {
  const TokenRecord record = token.record();
  out->set_id(token.id());
  out->set_label(record.label);
  out->set_serial(record.serial);
  out->set_manufacturer(record.manufacturer);
  out->set_is_default(&token == &admin.tokens.default_token());
  out->set_available(token.hsm().available());
  out->set_drained(token.drained());
  out->set_keys(static_cast<std::int64_t>(admin.keys.CountKeysOn(token.id())));
  out->set_outstanding_calls(static_cast<std::int64_t>(token.hsm().outstanding()));
  out->set_open_sessions(static_cast<std::int64_t>(token.hsm().open_sessions()));
}

Result<TokenSet::Token*> FindToken(TokenAdmin& admin, const std::string& id) {
  if (TokenSet::Token* const token = admin.tokens.Find(id)) return token;
  return Fail(Exception::kNotFoundException,
              "There is no token '" + id + "': name one of the configuration.");
}

// Who repeats it changes nothing.
Result<TokenSet::Token*> SetDrained(TokenAdmin& admin, const std::string& id, bool drained) {
  HALLMARK_ASSIGN_OR_RETURN(TokenSet::Token* const token, FindToken(admin, id));
  TokenRecord record = token->record();
  if (record.drained == drained) return token;
  record.drained = drained;
  HALLMARK_ASSIGN_OR_RETURN(record.revision, admin.store.Commit(std::array{Put(record)}));
  token->Publish(std::move(record));
  return token;
}

// By id or ARN.
Result<KeyViewPtr> FindKey(const TokenAdmin& admin, const std::string& key_id) {
  const auto id = KeyId::Parse(std::string_view(key_id).substr(key_id.rfind('/') + 1));
  KeyViewPtr view = id ? admin.keys.Find(*id) : nullptr;
  if (view != nullptr && (key_id == view->arn || key_id == id->ToString())) return view;
  return Fail(Exception::kNotFoundException, "Key '" + key_id + "' does not exist");
}

// What the store says of the object, by its CKA_ID alone.
Status CheckObjectIsFree(TokenAdmin& admin, const std::string& token_id, const CkaId& cka_id) {
  HALLMARK_ASSIGN_OR_RETURN(const StoreImage image, admin.store.Load());
  const auto is_anchor = [&](const TokenRecord& token) { return token.anchor_cka_id == cka_id; };
  if (std::any_of(image.tokens.begin(), image.tokens.end(), is_anchor)) {
    return Fail(Exception::kValidationException,
                "The object is the anchor by which a token is known: it is no key.");
  }
  const auto is_bound = [&](const BindingRecord& binding) {
    return binding.token_id == token_id && binding.cka_id == cka_id;
  };
  if (std::any_of(image.bindings.begin(), image.bindings.end(), is_bound)) {
    return Fail(Exception::kAlreadyExistsException, "The object belongs to another key.");
  }
  return {};
}

}  // namespace

Status ListTokens(TokenAdmin& admin, const v1::ListTokensRequest& /*request*/,
                  v1::ListTokensResponse* response) {
  for (const TokenSet::Token& token : admin.tokens.tokens()) {
    Fill(admin, token, response->add_tokens());
  }
  return {};
}

Status GetToken(TokenAdmin& admin, const v1::GetTokenRequest& request,
                v1::GetTokenResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const TokenSet::Token* const token, FindToken(admin, request.token()));
  Fill(admin, *token, response->mutable_token());
  return {};
}

Status DrainToken(TokenAdmin& admin, const v1::DrainTokenRequest& request,
                  v1::DrainTokenResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const TokenSet::Token* const token,
                            SetDrained(admin, request.token(), true));
  Fill(admin, *token, response->mutable_token());
  return {};
}

Status ResumeToken(TokenAdmin& admin, const v1::ResumeTokenRequest& request,
                   v1::ResumeTokenResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const TokenSet::Token* const token,
                            SetDrained(admin, request.token(), false));
  Fill(admin, *token, response->mutable_token());
  return {};
}

Status AdoptKey(TokenAdmin& admin, const v1::AdoptKeyRequest& request,
                v1::AdoptKeyResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const TokenSet::Token* const token, FindToken(admin, request.token()));
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, FindKey(admin, request.key_id()));
  const bool held =
      std::any_of(view->bindings.begin(), view->bindings.end(),
                  [&](const BindingRecord& binding) { return binding.token_id == token->id(); });
  if (held) {
    return Fail(Exception::kAlreadyExistsException,
                "Token '" + token->id() + "' holds " + view->arn + " already.");
  }
  if (!token->usable()) return NotUsable(*token);
  CkaId cka_id{};
  const auto bytes = FromHex(request.cka_id());  // of the right length, by the schema
  std::copy(bytes->begin(), bytes->end(), cka_id.begin());
  HALLMARK_RETURN_IF_ERROR(CheckObjectIsFree(admin, token->id(), cka_id));

  HALLMARK_ASSIGN_OR_RETURN(
      const ExaminedKey examined,
      token->hsm().ExamineKey(cka_id, view->key.spec, admin.clock.SteadyNow() + kExamineLimit));
  if (!view->material.check_value ||
      !EqualInConstantTime(examined.check_value, *view->material.check_value)) {
    return Fail(Exception::kValidationException,
                "The object has another value than " + view->arn + ".");
  }
  auto next = std::make_shared<KeyView>(*view);
  BindingRecord binding{.key_id = view->key.id,
                        .material_number = view->material.number,
                        .token_id = token->id(),
                        .cka_id = cka_id,
                        .owned = false,
                        .local = examined.local,
                        .state = BindingState::kReady,
                        .verified_at = admin.clock.Now()};
  // With the key, on top of the version that was looked at: it may have ended meanwhile.
  HALLMARK_ASSIGN_OR_RETURN(next->key.revision,
                            admin.store.Commit(std::array{Put(next->key), Put(binding)}));
  binding.revision = next->key.revision;
  next->bindings.push_back(std::move(binding));
  response->set_key_arn(next->arn);
  for (const BindingRecord& holder : next->bindings) response->add_tokens(holder.token_id);
  admin.keys.Publish(std::move(next));
  return {};
}

}  // namespace hallmark::app
