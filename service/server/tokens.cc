#include "service/server/tokens.h"

#include "pkcs11/token_hsm.h"
#include "service/server/late_token.h"
#include "service/server/reconciliation.h"
#include "service/system/system.h"

#include <sysexits.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace hallmark::service {
namespace {

constexpr std::chrono::seconds kSearchInterval{1};

// Its own share of the log: a token that hangs may outlive the server.
pkcs11::EventSink EventsOf(const std::shared_ptr<Log>& log) {
  return [log, tell = TokenEvents(*log)](pkcs11::Severity severity, const std::string& text) {
    tell(severity, text);
  };
}

// What an operator has to put right first would not go away by itself. A drained token is being
// worked on, and holds up nobody.
bool MayAppear(pkcs11::OpenFailure failure) {
  return failure == pkcs11::OpenFailure::kTokenAbsent ||
         failure == pkcs11::OpenFailure::kTokenError;
}

// Undoes on a token that has just appeared what a crash had cut short there.
void TakeUp(Hsm& hsm, KeyStore& store, const std::string& instance_id, const Clock& clock,
            Log& log) {
  const auto tell = [&log](LogLevel level, const std::string& text) {
    log.Write(level, "reconciliation", {{"text", std::string_view(text)}});
  };
  auto image = store.Load();
  if (image.has_value()) {
    const auto reconciled =
        Reconcile(*image, instance_id, hsm, store, clock,
                  [&](const std::string& text) { tell(LogLevel::kWarning, text); });
    if (reconciled.has_value()) {
      return tell(LogLevel::kInfo, "token " + hsm.token_id() + " has appeared");
    }
    return tell(LogLevel::kError, ToString(reconciled.error()));
  }
  tell(LogLevel::kError, ToString(image.error()));
}

std::unique_ptr<Hsm> LookFor(const pkcs11::TokenOptions& options, const TokenRecord& anchor,
                             const Tokens::Parts& parts, std::string failure) {
  const auto open = [options, anchor, log = parts.log, ask_for_end = parts.ask_for_end,
                     last = std::make_shared<std::string>(std::move(failure))] {
    OsRandom random;
    auto opened = pkcs11::Open(options, anchor, random, EventsOf(log), ask_for_end);
    if (opened.has_value()) return std::move(opened->hsm);
    // A failure that lasts is told once.
    if (std::exchange(*last, opened.error().message) != opened.error().message) {
      log->Write(LogLevel::kWarning, "token", {{"text", std::string_view(*last)}});
    }
    return std::unique_ptr<Hsm>();
  };
  const auto take_up = [&store = parts.store, &instance_id = parts.instance_id,
                        &clock = parts.clock, log = parts.log](Hsm& hsm) {
    TakeUp(hsm, store, instance_id, clock, *log);
  };
  return std::make_unique<LateToken>(options.token_id, kSearchInterval, open, take_up);
}

}  // namespace

Result<std::unique_ptr<Tokens>, StartError> Tokens::Open(const Parts& parts) {
  auto tokens = std::make_unique<Tokens>();
  OsRandom random;
  std::vector<TokenSet::Member> members;
  const std::string& default_id = parts.config.default_options().token_id;
  for (const pkcs11::TokenOptions& options : parts.config.tokens) {
    const auto record =
        std::find_if(parts.image.tokens.begin(), parts.image.tokens.end(),
                     [&](const TokenRecord& token) { return token.token_id == options.token_id; });
    if (record == parts.image.tokens.end()) {
      return CannotStart(EX_UNAVAILABLE, "token " + options.token_id +
                                             ": the store knows no anchor for it; run "
                                             "`hallmark token init` once");
    }
    const bool is_default = options.token_id == default_id;
    auto opened = pkcs11::Open(options, *record, random, EventsOf(parts.log), parts.ask_for_end);
    if (opened.has_value()) {
      if (is_default) tokens->sealer_ = std::move(opened->sealer);
      tokens->hsms_.push_back(std::move(opened->hsm));
      tokens->present_.push_back(tokens->hsms_.back().get());
    } else if (!is_default && (record->drained || MayAppear(opened.error().failure))) {
      const std::string& text = opened.error().message;
      parts.log->Write(LogLevel::kError, "token",
                       {{"text", std::string_view(text)},
                        {"outcome", "the others serve; it is taken up when it appears"}});
      tokens->hsms_.push_back(LookFor(options, *record, parts, text));
    } else {
      return TokenFailed(std::move(opened).error());
    }
    members.push_back({tokens->hsms_.back().get(), *record});
  }
  tokens->set_.emplace(std::move(members), default_id);
  return tokens;
}

void Tokens::Close() {
  set_->StopHandovers();
  hsms_.clear();
}

}  // namespace hallmark::service
