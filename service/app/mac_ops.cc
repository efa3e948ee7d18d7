// GenerateMac and VerifyMac: decide, have the token compute, decide again just before it does.
#include "keystate/hsm.h"
#include "keystate/mutex.h"
#include "service/app/crc32c.h"
#include "service/app/enum_names.h"
#include "service/app/guard.h"
#include "service/app/operation_functions.h"
#include "service/app/operations.h"
#include "service/app/pipeline.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

// What decides about both requests.
struct MacInput {
  MacAlgorithm algorithm;
  std::string request_alias;  // empty: the key was not asked for by an alias

  RequestContext context() const {
    RequestContext context;
    context.mac_algorithm = algorithm;
    if (!request_alias.empty()) context.request_alias = request_alias;
    return context;
  }
};

template <class Request>
Status CheckMessageCrc32c(const Request& request) {
  if (!request.has_message_crc32c()) return {};
  if (request.message_crc32c() == Crc32c(AsBytes(request.message()))) return {};
  return Fail(
      Exception::kValidationException,
      "1 validation error detected: Value '" + std::to_string(request.message_crc32c()) +
          "' at 'messageCrc32c' failed to satisfy constraint: Member must equal the CRC-32C "
          "of 'message'");
}

const BindingRecord* BindingOn(const KeyView& view, const TokenSet::Token& token) {
  for (const BindingRecord& binding : view.bindings) {
    if (binding.token_id == token.id()) return &binding;
  }
  return nullptr;
}

// A decided MAC, whichever tokens it is sent to.
class MacCall {
 public:
  // Turns the tag into the caller's answer.
  using Conclude = std::function<Status(const MacTag& tag, const KeyView& view)>;

  MacCall(Engine& engine, CallPtr call, MacInput input, std::string message, KeyViewPtr view,
          Conclude conclude, Done done)
      : engine_(engine),
        call_(std::move(call)),
        caller_(call_->caller),
        input_(std::move(input)),
        message_(std::move(message)),
        view_(std::move(view)),
        conclude_(std::move(conclude)),
        done_(std::move(done)) {}

  ByteView message() const { return AsBytes(message_); }
  SteadyTime deadline() const { return call_->deadline; }
  bool may_compute_here() const { return call_->may_hold_up_thread; }
  bool abandoned() const { return call_->cancelled.load(std::memory_order_relaxed); }
  std::uint64_t principal() const {
    return std::hash<std::string_view>{}(caller_->record.unique_id);
  }

  TokenSet::Token* FirstHolder() const { return engine_.tokens.Pick(view_->bindings); }
  // Another holder, if there is one; those in `tried` have failed the call.
  TokenSet::Token* NextHolder(std::span<const TokenSet::Token* const> tried) const {
    // One that was added meanwhile counts. If the key has ended, Admit says so.
    const KeyViewPtr view = engine_.keys.Find(view_->key.id);
    return engine_.tokens.Pick((view == nullptr ? *view_ : *view).bindings, tried);
  }
  std::string WhyNoHolder() const { return engine_.tokens.WhyNone(view_->bindings); }

  bool may_be_repeated() const { return !abandoned() && engine_.clock.SteadyNow() < deadline(); }
  std::optional<TokenSet::Handover> BeginHandover() { return engine_.tokens.BeginHandover(); }

  Result<MacKey> AdmitOn(const TokenSet::Token& token) {
    return Guarded([&] { return Decide(token); });
  }

  // `token_id`: that was asked last; empty: none was.
  void Finish(Result<MacTag> tag, const std::string& token_id) {
    TakeOverSecondDecision();
    call_->token_id = token_id;
    // An answer that comes while Admit still runs is a refusal; only what was decided at first is
    // read.
    if (!tag) {
      done_(Unexpected(std::move(tag).error()));
    } else {
      done_(Guarded([&] { return Answer(*tag); }));
    }
  }

 private:
  Status Answer(const MacTag& tag) {
    HALLMARK_RETURN_IF_ERROR(conclude_(tag, *view_));
    engine_.last_usage.Note(view_->key.id, call_->operation, engine_.clock.Now(),
                            call_->request_id);
    return {};
  }

  // The record names what decided last, and about whom. An answer that comes while Admit is still
  // deciding is by what was decided at first.
  void TakeOverSecondDecision() HALLMARK_EXCLUDES(mu_) {
    const MutexLock lock(mu_);
    if (!second_) return;
    call_->caller = std::move(second_->caller);
    call_->decided_by = std::move(second_->note.decided_by);
    second_.reset();
  }

  Result<MacKey> Decide(const TokenSet::Token& token) {
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, DecideAgain());
    const BindingRecord* binding = BindingOn(*view, token);
    if (binding == nullptr || !view->material.check_value) {
      return Unexpected(KeyUnavailable(view->arn + " is not bound to token " + token.id()));
    }
    return MacKey{binding->cka_id, view->key.spec, *view->material.check_value};
  }

  // The promise behind a revocation: no call still queued when it was acknowledged reaches the
  // token.
  Result<KeyViewPtr> DecideAgain() {
    HALLMARK_ASSIGN_OR_RETURN(const auto caller, CurrentCaller(engine_, *call_));
    if (caller == caller_ && engine_.keys.Find(view_->key.id) == view_) return view_;
    SecondDecision decision{caller, {}};
    Result<KeyViewPtr> view = DecideOn(*caller, &decision.note);
    const MutexLock lock(mu_);
    second_ = std::move(decision);
    return view;
  }

  Result<KeyViewPtr> DecideOn(const Principal& caller, DecisionNote* note) const {
    // By ARN, not by the identifier as sent: an alias that points elsewhere by now does not change
    // which key this call is about.
    HALLMARK_ASSIGN_OR_RETURN(KeyViewPtr view, DecideOnKey(engine_, {.call = *call_,
                                                                     .caller = caller,
                                                                     .operation = call_->operation,
                                                                     .key_id = view_->arn,
                                                                     .context = input_.context(),
                                                                     .note = note}));
    HALLMARK_RETURN_IF_ERROR(CheckAlgorithm(*view, input_.algorithm));
    return view;
  }

  Engine& engine_;  // outlives every call
  const CallPtr call_;
  // As at first: the call's own is replaced when it ends.
  const std::shared_ptr<const Principal> caller_;
  const MacInput input_;
  const std::string message_;  // our own copy: the token may still read it when the caller is gone
  const KeyViewPtr view_;
  const Conclude conclude_;
  const Done done_;

  struct SecondDecision {
    std::shared_ptr<const Principal> caller;
    DecisionNote note;
  };
  Mutex mu_;
  std::optional<SecondDecision> second_ HALLMARK_GUARDED_BY(mu_);
};

// The call on its way through the queue of one token. Each token that is asked has an attempt of
// its own, since the one before may still look at its own when it is over.
class MacAttempt final : public MacTask {
 public:
  using Tried = std::vector<const TokenSet::Token*>;

  // `tried`: the tokens that were asked before.
  MacAttempt(std::shared_ptr<MacCall> call, TokenSet::Token& token, Tried tried = {})
      : call_(std::move(call)), token_(token), tried_(std::move(tried)) {}

  ByteView message() const override { return call_->message(); }
  SteadyTime deadline() const override { return call_->deadline(); }
  // Another token's thread must not be held up, nor may its queue's lock be waited for in Finish.
  bool may_compute_here() const override { return tried_.empty() && call_->may_compute_here(); }
  std::uint64_t principal() const override { return call_->principal(); }
  bool abandoned() const override { return call_->abandoned(); }
  Result<MacKey> Admit() override { return call_->AdmitOn(token_); }

  void Finish(Result<MacTag> tag) override {
    // Throttling is an answer: load is not taken from one token by overloading the other.
    const bool failed = !tag && tag.error().exception == Exception::kKeyUnavailableException;
    if (!failed || !AskAnother()) call_->Finish(std::move(tag), token_.id());
  }

 private:
  // Whether another holder has the call now.
  bool AskAnother() {
    if (!call_->may_be_repeated()) return false;
    std::shared_ptr<MacAttempt> next;
    const auto handover = call_->BeginHandover();
    if (!handover) return false;
    TokenSet::Token* other = nullptr;
    const Status made = Guarded([&]() -> Status {
      Tried tried = tried_;
      tried.push_back(&token_);
      other = call_->NextHolder(tried);
      if (other != nullptr) next = std::make_shared<MacAttempt>(call_, *other, std::move(tried));
      return {};
    });
    if (!made || next == nullptr) return false;
    token_.CountFailover();
    other->hsm().ComputeMac(std::move(next));
    return true;
  }

  const std::shared_ptr<MacCall> call_;
  TokenSet::Token& token_;  // outlives every call
  const Tried tried_;
};

template <class Request>
MacInput InputOf(const Engine& engine, const CallContext& call, const Request& request) {
  MacInput input{FromProto(request.mac_algorithm()), {}};
  const auto reference = ParseKeyReference(
      request.key_id(), engine.site, call.caller->record.arn.account(), KeyIdForms::kKeyOrAlias);
  if (reference && reference->alias() != nullptr) input.request_alias = *reference->alias();
  return input;
}

// Everything that is decided before the token is asked for anything.
template <class Request>
Result<KeyViewPtr> DecideOnMac(const Engine& engine, CallContext& call, const Request& request) {
  HALLMARK_RETURN_IF_ERROR(CheckMessageCrc32c(request));
  RequestContext context;
  context.mac_algorithm = FromProto(request.mac_algorithm());
  HALLMARK_ASSIGN_OR_RETURN(
      KeyViewPtr view, AdmitKey(engine, call, request.key_id(), context, &request.grant_tokens()));
  HALLMARK_RETURN_IF_ERROR(CheckAlgorithm(*view, FromProto(request.mac_algorithm())));
  return view;
}

template <class Request>
void Compute(Engine& engine, const CallPtr& call, const Request& request, KeyViewPtr view,
             MacCall::Conclude conclude, Done done) {
  // Whoever has no right to the key has learned so by now, and nothing of how busy it is.
  if (engine.mac_rates != nullptr) {
    Status within = engine.mac_rates->Take(call->caller->record.unique_id, view->key.id,
                                           engine.clock.SteadyNow());
    if (!within) return done(std::move(within));
  }
  auto mac =
      std::make_shared<MacCall>(engine, call, InputOf(engine, *call, request), request.message(),
                                std::move(view), std::move(conclude), std::move(done));
  TokenSet::Token* const token = mac->FirstHolder();
  if (token == nullptr) {
    mac->Finish(Unexpected(KeyUnavailable(mac->WhyNoHolder())), {});
    return;
  }
  token->hsm().ComputeMac(std::make_shared<MacAttempt>(std::move(mac), *token));
}

}  // namespace

void GenerateMac(Engine& engine, const CallPtr& call, const v1::GenerateMacRequest& request,
                 v1::GenerateMacResponse* response, Done done) {
  Result<KeyViewPtr> view = DecideOnMac(engine, *call, request);
  if (!view) return done(Unexpected(std::move(view).error()));
  if (request.dry_run()) {
    const std::vector<BindingRecord>& holders = (*view)->bindings;
    if (engine.tokens.Pick(holders) == nullptr) {
      return done(Unexpected(KeyUnavailable(engine.tokens.WhyNone(holders))));
    }
    return done(DryRunPassed());
  }
  const v1::MacAlgorithm algorithm = request.mac_algorithm();
  const auto conclude = [response, algorithm](const MacTag& tag, const KeyView& key) -> Status {
    response->set_key_id(key.arn);
    response->set_mac(tag.bytes().data(), tag.bytes().size());
    response->set_mac_algorithm(algorithm);
    response->set_mac_crc32c(Crc32c(tag.bytes()));
    return {};
  };
  Compute(engine, call, request, *std::move(view), conclude, std::move(done));
}

void VerifyMac(Engine& engine, const CallPtr& call, const v1::VerifyMacRequest& request,
               v1::VerifyMacResponse* response, Done done) {
  Result<KeyViewPtr> view = DecideOnMac(engine, *call, request);
  if (!view) return done(Unexpected(std::move(view).error()));
  // Computed and compared here: a token's own C_Verify need not compare in constant time.
  const auto conclude = [response, mac = request.mac(), algorithm = request.mac_algorithm(),
                         dry_run = request.dry_run()](const MacTag& tag,
                                                      const KeyView& key) -> Status {
    if (!EqualInConstantTime(tag.bytes(), AsBytes(mac))) {
      return Fail(Exception::kKMSInvalidMacException);
    }
    if (dry_run) return DryRunPassed();
    response->set_key_id(key.arn);
    response->set_mac_valid(true);
    response->set_mac_algorithm(algorithm);
    return {};
  };
  Compute(engine, call, request, *std::move(view), conclude, std::move(done));
}

}  // namespace hallmark::app
