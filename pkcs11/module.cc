#include "pkcs11/module.h"

#include "pkcs11/ckr.h"

#include <p11-kit/p11-kit.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

// How long users of a module may take to come out of it.
constexpr std::chrono::seconds kStandAside{1};
// Users that serve are left alone for a second after the first disturbance, then for twice as long
// each time, up to this; after the second of these without one it begins with a second again.
constexpr std::chrono::seconds kLongestRest{60};
constexpr std::chrono::minutes kRestForgotten{5};

SteadyTime Now() { return std::chrono::steady_clock::now(); }

// One lock for loading and initialising: both happen at start and must not overlap for one path.
struct Registry {
  Mutex mu;
  std::map<std::filesystem::path, std::shared_ptr<Module>> modules HALLMARK_GUARDED_BY(mu);
};

// Never destroyed: exit handlers and left-behind threads use it.
Registry& Modules() {
  static Registry& registry = *new Registry;
  return registry;
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
  const CK_RV rv = module->Initialize();
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

CK_RV Module::Initialize() {
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  arguments.pReserved = init_args_.empty() ? nullptr : init_args_.data();
  return functions_->C_Initialize(&arguments);
}

void Module::Join(std::weak_ptr<ModuleUser> user) {
  MutexLock lock(mu_);
  std::erase_if(users_, [](const auto& known) { return known.expired(); });
  users_.push_back(std::move(user));
}

std::vector<std::shared_ptr<ModuleUser>> Module::Others(const ModuleUser& asker) {
  std::vector<std::shared_ptr<ModuleUser>> others;
  MutexLock lock(mu_);
  for (const auto& known : users_) {
    std::shared_ptr<ModuleUser> user = known.lock();
    if (user != nullptr && user.get() != &asker) others.push_back(std::move(user));
  }
  return others;
}

class Module::Turn {
 public:
  Turn(Module& module, SteadyTime give_up) : module_(module) {
    MutexLock lock(module_.mu_);
    while (module_.turn_taken_) {
      if (module_.turn_ended_.wait_until(module_.mu_, give_up) == std::cv_status::timeout) break;
    }
    taken_ = !std::exchange(module_.turn_taken_, true);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (!taken_) return;
    {
      MutexLock lock(module_.mu_);
      module_.turn_taken_ = false;
    }
    module_.turn_ended_.notify_all();
  }

  bool taken() const { return taken_; }

 private:
  Module& module_;
  bool taken_ = false;
};

bool Module::MayDisturbNow(SteadyTime now) {
  MutexLock lock(mu_);
  const bool first = disturbed_ == SteadyTime{};
  if (!first && now < disturbed_ + rest_) return false;
  rest_ = first || now > disturbed_ + kRestForgotten ? std::chrono::seconds{1}
                                                     : std::min(2 * rest_, kLongestRest);
  disturbed_ = now;
  return true;
}

Module::Reinitialised Module::Reinitialise(const ModuleUser& asker, bool may_disturb) {
  if (!ours_) return Reinitialised::kNo;
  const Turn turn(*this, Now());
  if (!turn.taken()) return Reinitialised::kByOther;
  const std::vector<std::shared_ptr<ModuleUser>> others = Others(asker);
  const bool disturbs =
      std::any_of(others.begin(), others.end(), [](const auto& user) { return user->serving(); });
  if (disturbs && !(may_disturb && MayDisturbNow(Now()))) return Reinitialised::kNo;

  bool anew = false;
  const SteadyTime give_up = Now() + kStandAside;
  const auto inside = std::find_if_not(others.begin(), others.end(),
                                       [&](const auto& user) { return user->StandAside(give_up); });
  if (inside == others.end()) {
    static_cast<void>(functions_->C_Finalize(nullptr));
    // A module that could not be finalised says so here, and its sessions go on.
    anew = Initialize() != CKR_CRYPTOKI_ALREADY_INITIALIZED;
  }
  for (auto user = others.begin(); user != inside; ++user) (*user)->StepBack(anew);
  return anew ? Reinitialised::kYes : Reinitialised::kNo;
}

bool Module::WhileInitialised(SteadyTime give_up, const std::function<void()>& action) {
  const Turn turn(*this, give_up);
  if (turn.taken()) action();
  return turn.taken();
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
