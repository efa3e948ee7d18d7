#include "pkcs11/token_access.h"

#include <string>
#include <utility>

namespace hallmark::pkcs11 {
namespace {

Unexpected<OpenError> PinRefused(std::string message) {
  return Unexpected(OpenError{OpenFailure::kPinRefused, std::move(message)});
}

Unexpected<OpenError> TokenError(const TokenUri& uri, const CkFault& fault) {
  return Unexpected(OpenError{OpenFailure::kTokenError,
                              "the token " + uri.text() + " answered with an error (" +
                                  ToString(fault) + "): check the token and its driver"});
}

}  // namespace

Result<TokenAccess, OpenError> TokenAccess::Prepare(const TokenOptions& options,
                                                    RandomSource& random) {
  HALLMARK_ASSIGN_OR_RETURN(TokenUri uri, TokenUri::Parse(options.uri, options.config_directory));
  LoginTurns turns =
      options.hosts > 0 ? LoginTurns(options.state_directory, options.token_id) : LoginTurns();
  HALLMARK_ASSIGN_OR_RETURN(const LoginTurns::Turn turn, turns.Take());
  TokenFiles files(options.sync_path, options.state_directory);
  Result<std::size_t, std::string> restored = files.Restore();
  if (!restored.has_value()) {
    return Unexpected(OpenError{OpenFailure::kTokenError, std::move(restored).error()});
  }
  HALLMARK_ASSIGN_OR_RETURN(std::shared_ptr<Module> module,
                            Module::Load(options.module, options.init_args));
  PinLatch::Salt salt;
  random.Fill(salt);
  return TokenAccess(std::move(module), std::move(uri),
                     PinLatch(options.state_directory, options.token_id, salt), std::move(files),
                     std::move(turns), *restored);
}

Result<EnteredToken, OpenError> TokenAccess::Enter(std::optional<EnteredToken> previous) const {
  HALLMARK_ASSIGN_OR_RETURN(const LoginTurns::Turn turn, turns_.Take());
  HALLMARK_ASSIGN_OR_RETURN(const FoundToken found, FindToken(*module_, uri_));
  CkResult<bool> logged_in = false;
  if (previous) {
    logged_in = previous->session.LoggedIn();
    if (!logged_in.has_value() || previous->token.slot != found.slot) previous.reset();
  }
  if (!previous) {
    CkResult<Session> session = Session::Open(module_->functions(), found.slot);
    if (!session.has_value()) return TokenError(uri_, session.error());
    // Another part of the process may be logged in already: a login belongs to the process.
    logged_in = session->LoggedIn();
    if (!logged_in.has_value()) return TokenError(uri_, logged_in.error());
    previous.emplace(EnteredToken{found, *std::move(session)});
  }
  previous->token = found;
  if (!*logged_in && (found.info.flags & CKF_LOGIN_REQUIRED) != 0) {
    HALLMARK_RETURN_IF_ERROR(LogIn(*previous));
  }
  return *std::move(previous);
}

Result<void, OpenError> TokenAccess::LogIn(EnteredToken& entered) const {
  const std::string token = "the token " + uri_.text();
  if (uri_.pin_file().empty()) {
    return Unexpected(
        OpenError{OpenFailure::kConfiguration,
                  token + " needs a PIN: add pin-source= to its URI, naming the PIN's file"});
  }
  HALLMARK_ASSIGN_OR_RETURN(const SecretBytes pin, ReadPin(uri_.pin_file()));

  const CK_FLAGS flags = entered.token.info.flags;
  if ((flags & CKF_USER_PIN_LOCKED) != 0) {
    return PinRefused(token +
                      " has locked its user PIN: unlock it with the security officer's PIN");
  }
  if ((flags & CKF_USER_PIN_FINAL_TRY) != 0) {
    return PinRefused(
        token +
        " would lock after one more wrong PIN, so none is tried: log in once with the "
        "token's own tool to reset its counter");
  }
  if ((flags & CKF_USER_PIN_INITIALIZED) == 0) {
    return PinRefused(token + " has no user PIN yet: set one with the token's own tool");
  }
  const PinLatch::Verdict verdict = latch_.Judge(pin);
  if (verdict == PinLatch::Verdict::kSamePin) {
    return PinRefused(token + " has refused this PIN before, so it is not tried again: correct " +
                      uri_.pin_file().string());
  }
  if (verdict == PinLatch::Verdict::kUnreadable) {
    return PinRefused("whether " + token + " has refused this PIN before cannot be read from " +
                      latch_.file().string() + ": check the PIN, then delete that file");
  }
  // Set by the token after a wrong PIN. If we tried it, and the PIN was changed since, the operator
  // has acted, and SoftHSM leaves no other way to reset the flag than a good login. Otherwise
  // somebody else is guessing, and our try could be the one that locks the token.
  if ((flags & CKF_USER_PIN_COUNT_LOW) != 0 && verdict != PinLatch::Verdict::kChangedPin) {
    return PinRefused(
        token +
        " reports a wrong PIN since the last login, so none is tried: log in once with "
        "another tool (pkcs11-tool --login --list-objects) to reset its counter");
  }
  if (!latch_.Writable()) {
    return Unexpected(OpenError{OpenFailure::kConfiguration,
                                "a refused PIN could not be remembered in " +
                                    latch_.file().parent_path().string() +
                                    ", so none is tried: make the directory writable"});
  }

  Result<void, std::string> kept = files_.Keep();
  if (!kept.has_value()) {
    return Unexpected(OpenError{OpenFailure::kConfiguration, std::move(kept).error()});
  }
  const CkStatus login = entered.session.LogIn(pin);
  if (login.has_value() || login.error().rv == CKR_USER_ALREADY_LOGGED_IN) {
    if (verdict == PinLatch::Verdict::kChangedPin) latch_.Drop();
    return {};
  }
  if (Classify(login.error().rv) != CkClass::kPin) return TokenError(uri_, login.error());
  const Result<void, std::string> latched = latch_.Set(pin);
  return PinRefused(
      token + " refused the PIN (" + ToString(login.error()) +
      "), which is not tried again until it changes: correct " + uri_.pin_file().string() +
      (latched.has_value() ? std::string()
                           : "; " + latched.error() + ": do not restart before that"));
}

}  // namespace hallmark::pkcs11
