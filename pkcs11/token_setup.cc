#include "pkcs11/token_setup.h"

#include "keystate/secret.h"
#include "pkcs11/ckr.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/module.h"
#include "pkcs11/uri.h"

#include <p11-kit/uri.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

// Padded with blanks, as tokens keep it.
using Label = std::array<CK_UTF8CHAR, 32>;

Unexpected<OpenError> Refuse(OpenFailure failure, std::string message) {
  return Unexpected(OpenError{failure, std::move(message)});
}

OpenError Failed(const CkFault& fault) {
  if (Classify(fault.rv) == CkClass::kPin) {
    return {
        OpenFailure::kPinRefused,
        "the token refused a PIN (" + ToString(fault) +
            "): give the security officer's PIN that the token was initialised with, and a user "
            "PIN of a length it accepts"};
  }
  return {OpenFailure::kTokenError, "the token cannot be initialised (" + ToString(fault) +
                                        "): look at what its module logs"};
}

// PKCS#11 was written before const; no function writes through this.
CK_UTF8CHAR* Mutable(const SecretBytes& pin) {
  return reinterpret_cast<CK_UTF8CHAR*>(const_cast<std::byte*>(pin.RevealForHsm().data()));
}

Result<Label, OpenError> ReadLabel(const TokenOptions& options) {
  const std::unique_ptr<P11KitUri, decltype(&p11_kit_uri_free)> uri(p11_kit_uri_new(),
                                                                    &p11_kit_uri_free);
  Label label{};
  if (p11_kit_uri_parse(options.uri.c_str(), P11_KIT_URI_FOR_TOKEN, uri.get()) == P11_KIT_URI_OK) {
    const CK_TOKEN_INFO* named = p11_kit_uri_get_token_info(uri.get());
    std::copy_n(std::begin(named->label), label.size(), label.begin());
  }
  if (label.front() == 0) {
    return Refuse(OpenFailure::kConfiguration, "token." + options.token_id +
                                                   ".uri gives no name to a new token: write it as "
                                                   "pkcs11:token=NAME?pin-source=file:PATH");
  }
  return label;
}

// The first slot whose token was never initialised.
Result<CK_SLOT_ID, OpenError> FindEmptyToken(const CK_FUNCTION_LIST& functions,
                                             const TokenOptions& options) {
  CK_ULONG count = 0;
  CK_RV rv = functions.C_GetSlotList(CK_TRUE, nullptr, &count);
  if (rv != CKR_OK) return Unexpected(Failed({rv, "C_GetSlotList"}));
  std::vector<CK_SLOT_ID> slots(count);
  rv = functions.C_GetSlotList(CK_TRUE, slots.data(), &count);
  if (rv != CKR_OK) return Unexpected(Failed({rv, "C_GetSlotList"}));
  slots.resize(count);
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    if (functions.C_GetTokenInfo(slot, &info) != CKR_OK) continue;
    if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) return slot;
  }
  return Refuse(OpenFailure::kTokenAbsent, "the PKCS#11 module " + options.module.string() +
                                               " has neither the token " + options.uri +
                                               " nor an empty one: add a token to it");
}

CkStatus SetUserPin(const CK_FUNCTION_LIST& functions, CK_SLOT_ID slot, const SecretBytes& so_pin,
                    const SecretBytes& user_pin) {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  HALLMARK_RETURN_IF_ERROR(Check(functions.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                                         nullptr, nullptr, &session),
                                 "C_OpenSession"));
  CkStatus status =
      Check(functions.C_Login(session, CKU_SO, Mutable(so_pin), so_pin.size()), "C_Login");
  if (status) {
    status = Check(functions.C_InitPIN(session, Mutable(user_pin), user_pin.size()), "C_InitPIN");
  }
  // Ends the security officer's login with the session; nothing useful can be done about a failure.
  static_cast<void>(functions.C_CloseSession(session));
  return status;
}

}  // namespace

Result<FormatOutcome, OpenError> FormatToken(const TokenOptions& options,
                                             const std::filesystem::path& so_pin_file) {
  HALLMARK_ASSIGN_OR_RETURN(const TokenUri uri,
                            TokenUri::Parse(options.uri, options.config_directory));
  HALLMARK_ASSIGN_OR_RETURN(Label label, ReadLabel(options));
  HALLMARK_ASSIGN_OR_RETURN(const SecretBytes user_pin, ReadPin(uri.pin_file()));
  HALLMARK_ASSIGN_OR_RETURN(const SecretBytes so_pin, ReadPin(so_pin_file));
  HALLMARK_ASSIGN_OR_RETURN(const std::shared_ptr<Module> module,
                            Module::Load(options.module, options.init_args));
  const CK_FUNCTION_LIST& functions = module->functions();

  CK_SLOT_ID slot = 0;
  if (const auto token = FindToken(*module, uri)) {
    if ((token->info.flags & CKF_USER_PIN_INITIALIZED) != 0) return FormatOutcome::kWasReady;
    slot = token->slot;
  } else if (token.error().failure == OpenFailure::kTokenAbsent) {
    HALLMARK_ASSIGN_OR_RETURN(slot, FindEmptyToken(functions, options));
    const CK_RV rv = functions.C_InitToken(slot, Mutable(so_pin), so_pin.size(), label.data());
    if (rv != CKR_OK) return Unexpected(Failed({rv, "C_InitToken"}));
  } else {
    return Unexpected(token.error());
  }
  if (const CkStatus set = SetUserPin(functions, slot, so_pin, user_pin); !set) {
    return Unexpected(Failed(set.error()));
  }
  return FormatOutcome::kFormatted;
}

}  // namespace hallmark::pkcs11
