#include "pkcs11/module.h"

#include "keystate/mutex.h"
#include "pkcs11/ckr.h"

#include <p11-kit/p11-kit.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

// One lock for loading and initialising: both happen at start and must not overlap for one path.
struct Registry {
  Mutex mu;
  std::map<std::filesystem::path, std::shared_ptr<Module>> modules HALLMARK_GUARDED_BY(mu);
};

// Never destroyed: exit handlers and left-behind threads use it.
Registry& Modules() {
  static auto* const registry = new Registry;
  return *registry;
}

Unexpected<OpenError> Misconfigured(const std::filesystem::path& path, const std::string& reason) {
  return Unexpected(
      OpenError{OpenFailure::kConfiguration, "the PKCS#11 module " + path.string() + " " + reason});
}

}  // namespace

Result<std::shared_ptr<Module>, OpenError> Module::Load(const std::filesystem::path& path,
                                                        const std::string& init_args) {
  std::error_code error;
  const std::filesystem::path file = std::filesystem::canonical(path, error);
  if (error || !path.is_absolute()) {
    return Misconfigured(path, path.is_absolute()
                                   ? "cannot be read (" + error.message() + "): correct its path"
                                   : "is not an absolute path: write it in full");
  }
  Registry& registry = Modules();
  MutexLock lock(registry.mu);
  if (const auto known = registry.modules.find(file); known != registry.modules.end()) {
    if (known->second->init_args_ != init_args) {
      return Misconfigured(path, "is configured with two different init-args: make them the same");
    }
    return known->second;
  }
  p11_kit_be_quiet();
  // Unmanaged: calls go straight to the module, and C_Initialize stays ours.
  CK_FUNCTION_LIST* functions = p11_kit_module_load(file.c_str(), P11_KIT_MODULE_UNMANAGED);
  if (functions == nullptr) {
    const char* reason = p11_kit_message();
    return Misconfigured(path, std::string("is not a PKCS#11 module (") +
                                   (reason == nullptr ? "unknown reason" : reason) +
                                   "): correct its path");
  }
  std::shared_ptr<Module> module(new Module(functions, init_args));
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  arguments.pReserved = init_args.empty() ? nullptr : module->init_args_.data();
  const CK_RV rv = functions->C_Initialize(&arguments);
  if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    return Unexpected(OpenError{OpenFailure::kTokenError,
                                "the PKCS#11 module " + path.string() + " cannot be initialised (" +
                                    ToString(CkFault{rv, "C_Initialize"}) +
                                    "): see the module's own documentation for what it needs"});
  }
  module->ours_ = rv == CKR_OK;
  // Registered after C_Initialize, so that it runs before the exit handlers that the module and its
  // libraries registered meanwhile: SoftHSM crashes if OpenSSL is cleaned up first.
  if (module->ours_) static_cast<void>(std::atexit(&Module::FinalizeUnused));
  registry.modules.emplace(file, module);
  return module;
}

void Module::FinalizeUnused() {
  std::vector<CK_FUNCTION_LIST*> unused;
  Registry& registry = Modules();
  {
    MutexLock lock(registry.mu);
    for (const auto& [path, module] : registry.modules) {
      if (module->ours_ && module.use_count() == 1) {
        module->ours_ = false;
        unused.push_back(module->functions_);
      }
    }
  }
  for (CK_FUNCTION_LIST* functions : unused) static_cast<void>(functions->C_Finalize(nullptr));
}

Result<FoundToken, OpenError> FindToken(const Module& module, const TokenUri& uri) {
  const CK_FUNCTION_LIST& functions = module.functions();
  const auto failed = [&uri](CK_RV rv, const char* function) {
    return Unexpected(OpenError{OpenFailure::kTokenError, "the slots for " + uri.text() +
                                                              " cannot be listed (" +
                                                              ToString(CkFault{rv, function}) +
                                                              "): check the token and its driver"});
  };
  std::vector<CK_SLOT_ID> slots;
  CK_ULONG count = 0;
  CK_RV rv = CKR_OK;
  do {  // a token plugged in between the two calls makes the list too short
    rv = functions.C_GetSlotList(CK_TRUE, nullptr, &count);
    if (rv != CKR_OK) return failed(rv, "C_GetSlotList");
    slots.resize(count);
    rv = functions.C_GetSlotList(CK_TRUE, slots.data(), &count);
  } while (rv == CKR_BUFFER_TOO_SMALL);
  if (rv != CKR_OK) return failed(rv, "C_GetSlotList");
  slots.resize(count);

  std::optional<FoundToken> found;
  for (const CK_SLOT_ID slot : slots) {
    FoundToken token{slot, {}};
    // A slot that does not answer is not ours to judge: another token may be the one.
    if (functions.C_GetTokenInfo(slot, &token.info) != CKR_OK) continue;
    if ((token.info.flags & CKF_TOKEN_INITIALIZED) == 0 || !uri.Matches(slot, token.info)) continue;
    if (found) {
      return Unexpected(OpenError{OpenFailure::kConfiguration,
                                  "more than one token matches " + uri.text() +
                                      ": add serial= to the URI, so that it names one"});
    }
    found = token;
  }
  if (!found) {
    return Unexpected(
        OpenError{OpenFailure::kTokenAbsent,
                  "no token matches " + uri.text() + ": connect the token, or correct the URI"});
  }
  return *found;
}

std::string Unpadded(const unsigned char* field, std::size_t size) {
  return {reinterpret_cast<const char*>(field), p11_kit_space_strlen(field, size)};
}

}  // namespace hallmark::pkcs11
