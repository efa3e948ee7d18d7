#include "tests/support/fault_list.h"

#include "keystate/mutex.h"
#include "tests/support/fault_control.h"
#include "tests/support/kill_switch.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace hallmark::testing {
namespace {

// Every function that can be made to fail; a new one is one more row.
// clang-format moves the backslashes each time.
// clang-format off
#define HALLMARK_FAULT_FUNCTIONS(ROW) \
  ROW(C_Initialize) ROW(C_Finalize) ROW(C_GetInfo) ROW(C_GetSlotList) \
  ROW(C_GetSlotInfo) ROW(C_GetTokenInfo) ROW(C_GetMechanismList) ROW(C_GetMechanismInfo) \
  ROW(C_InitToken) ROW(C_InitPIN) ROW(C_SetPIN) ROW(C_OpenSession) \
  ROW(C_CloseSession) ROW(C_CloseAllSessions) ROW(C_GetSessionInfo) ROW(C_Login) \
  ROW(C_Logout) ROW(C_CreateObject) ROW(C_CopyObject) ROW(C_DestroyObject) \
  ROW(C_GetAttributeValue) ROW(C_SetAttributeValue) ROW(C_FindObjectsInit) ROW(C_FindObjects) \
  ROW(C_FindObjectsFinal) ROW(C_SignInit) ROW(C_Sign) ROW(C_GenerateKey) \
  ROW(C_GenerateKeyPair) ROW(C_WrapKey) ROW(C_UnwrapKey) ROW(C_GenerateRandom)
// clang-format on

enum class Function {
#define HALLMARK_ROW(name) k##name,
  HALLMARK_FAULT_FUNCTIONS(HALLMARK_ROW)
#undef HALLMARK_ROW
};

constexpr std::array kNames{
#define HALLMARK_ROW(name) std::string_view(#name),
    HALLMARK_FAULT_FUNCTIONS(HALLMARK_ROW)
#undef HALLMARK_ROW
};

struct Strike {
  Fault fault;
  std::uint64_t release;  // a hanging call goes on when the count is another
};

// True for the one process that makes the file; always for an empty path.
bool Claim(const std::filesystem::path& path) {
  if (path.empty()) return true;
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) static_cast<void>(::close(fd));
  return fd >= 0;
}

class Faults {
 public:
  // Never destroyed: calls may hang in it while the process exits.
  static Faults& Get() {
    static Faults& faults = *new Faults;
    return faults;
  }

  void Arm(const Fault& fault) {
    MutexLock lock(mu_);
    armed_.push_back(fault);
  }

  void Disarm() {
    MutexLock lock(mu_);
    armed_.clear();
    Release();
  }

  // Counts the call; says what must happen to it.
  std::optional<Strike> Next(Function function) {
    FollowControl();
    const auto index = static_cast<std::size_t>(function);
    MutexLock lock(mu_);
    ++calls_[index];
    for (std::vector<Fault>* faults : {&armed_, &from_control_}) {
      for (auto fault = faults->begin(); fault != faults->end(); ++fault) {
        if (fault->function != kNames[index]) continue;
        if (fault->skip > 0) {
          --fault->skip;
          continue;
        }
        if (!Claim(fault->claim)) {
          faults->erase(fault);
          break;
        }
        const Strike strike{*fault, release_};
        if (fault->times > 0 && --fault->times == 0) faults->erase(fault);
        return strike;
      }
    }
    return std::nullopt;
  }

  // Delays or hangs the calling thread.
  void Suffer(const Strike& strike) {
    if (strike.fault.crash) std::abort();
    if (strike.fault.delay.count() > 0) std::this_thread::sleep_for(strike.fault.delay);
    if (!strike.fault.hang) return;
    MutexLock lock(mu_);
    ++hanging_;
    changed_.notify_all();
    while (release_ == strike.release) {
      if (!control_.watching()) {
        changed_.wait(mu_);
        continue;
      }
      // Nobody tells us that the control file has changed: look.
      changed_.wait_for(mu_, std::chrono::milliseconds(50));
      FollowControlLocked(control_.ReadIfChanged());
    }
    --hanging_;
  }

  std::size_t Calls(std::string_view function) {
    const auto at = std::find(kNames.begin(), kNames.end(), function);
    if (at == kNames.end()) std::abort();  // a typing mistake in a test
    MutexLock lock(mu_);
    return calls_[static_cast<std::size_t>(at - kNames.begin())];
  }

  void ResetCalls() {
    MutexLock lock(mu_);
    calls_.fill(0);
  }

  bool WaitForHanging(std::size_t calls, std::chrono::milliseconds at_most) {
    const auto give_up = std::chrono::steady_clock::now() + at_most;
    MutexLock lock(mu_);
    while (hanging_ < calls) {
      if (changed_.wait_until(mu_, give_up) == std::cv_status::timeout) return hanging_ >= calls;
    }
    return true;
  }

  FaultOutage outage;
  CK_FUNCTION_LIST* real = nullptr;  // set before the first call
  CK_FUNCTION_LIST wrapped{};

 private:
  void FollowControl() {
    if (!control_.watching()) return;
    const std::optional<FaultScript> replaced = control_.ReadIfChanged();
    MutexLock lock(mu_);
    FollowControlLocked(replaced);
  }

  void FollowControlLocked(const std::optional<FaultScript>& replaced) HALLMARK_REQUIRES(mu_) {
    if (!replaced) return;
    from_control_ = replaced->faults;
    outage.PutBack();
    outage.SetSlotsGone(replaced->slots_gone);
    for (const std::string& label : replaced->removed_tokens) outage.Remove(label);
    if (replaced->sessions_lost) outage.LoseSessions();
    if (replaced->module_broken) outage.BreakModule();
    Release();
  }

  void Release() HALLMARK_REQUIRES(mu_) {
    ++release_;
    changed_.notify_all();
  }

  FaultControl control_;
  Mutex mu_;
  ConditionVariable changed_;
  std::vector<Fault> armed_ HALLMARK_GUARDED_BY(mu_);
  std::vector<Fault> from_control_ HALLMARK_GUARDED_BY(mu_);
  std::array<std::size_t, kNames.size()> calls_ HALLMARK_GUARDED_BY(mu_){};
  std::uint64_t release_ HALLMARK_GUARDED_BY(mu_) = 0;
  std::size_t hanging_ HALLMARK_GUARDED_BY(mu_) = 0;
};

CK_RV Real(Function function, const Fault& fault,
           CK_RV (*call)(CK_SESSION_HANDLE, CK_MECHANISM*, CK_ATTRIBUTE*, CK_ULONG,
                         CK_OBJECT_HANDLE*),
           CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_ATTRIBUTE* attributes,
           CK_ULONG count, CK_OBJECT_HANDLE* key) {
  if (function != Function::kC_GenerateKey || !fault.flip) {
    return call(session, mechanism, attributes, count, key);
  }
  std::vector<CK_ATTRIBUTE> changed(attributes, attributes + count);
  CK_BBOOL turned = CK_TRUE;
  for (CK_ATTRIBUTE& attribute : changed) {
    if (attribute.type != *fault.flip) continue;
    turned = *static_cast<CK_BBOOL*>(attribute.pValue) == CK_FALSE ? CK_TRUE : CK_FALSE;
    attribute.pValue = &turned;
  }
  return call(session, mechanism, changed.data(), count, key);
}

CK_RV Real(Function function, const Fault& fault,
           CK_RV (*call)(CK_SESSION_HANDLE, CK_BYTE*, CK_ULONG, CK_BYTE*, CK_ULONG*),
           CK_SESSION_HANDLE session, CK_BYTE* data, CK_ULONG size, CK_BYTE* out,
           CK_ULONG* out_size) {
  const CK_RV rv = call(session, data, size, out, out_size);
  if (function == Function::kC_Sign && rv == CKR_OK) {
    *out_size -= std::min<CK_ULONG>(*out_size, fault.shorten_by);
  }
  return rv;
}

template <class Call, class... Args>
CK_RV Real(Function, const Fault&, Call call, Args... args) {
  return call(args...);
}

// What a call of these functions is about.
template <Function function>
constexpr bool kOfModule = function == Function::kC_Initialize || function == Function::kC_Finalize;
template <Function function>
constexpr bool kOfSlot =
    function == Function::kC_GetSlotInfo || function == Function::kC_GetTokenInfo ||
    function == Function::kC_GetMechanismList || function == Function::kC_GetMechanismInfo ||
    function == Function::kC_InitToken || function == Function::kC_OpenSession ||
    function == Function::kC_CloseAllSessions;

// The call, as the module answers it in the outage that there is.
template <Function function, class Call, class First, class... Rest>
CK_RV InOutage(Faults& faults, const Fault& fault, Call call, First first, Rest... rest) {
  FaultOutage& outage = faults.outage;
  if constexpr (kOfModule<function>) {
    const CK_RV rv = call(first, rest...);
    if (function == Function::kC_Initialize && rv == CKR_OK) outage.Initialised();
    return rv;
  } else if constexpr (function == Function::kC_GetSlotList) {
    return outage.SlotList(*faults.real, first, rest...);
  } else if constexpr (function == Function::kC_GetInfo) {
    return outage.OfModule().value_or(CKR_OK) != CKR_OK ? *outage.OfModule() : call(first, rest...);
  } else if constexpr (kOfSlot<function>) {
    if (const std::optional<CK_RV> rv = outage.OfSlot(*faults.real, first)) return *rv;
    const CK_RV rv = Real(function, fault, call, first, rest...);
    if constexpr (function == Function::kC_OpenSession) {
      if (rv == CKR_OK) outage.Opened(*faults.real, first, *std::get<3>(std::tuple(rest...)));
    }
    return rv;
  } else {
    const std::optional<CK_RV> ended = outage.OfSession(first);
    if constexpr (function == Function::kC_CloseSession) {
      // The module's own session is closed in any case.
      const CK_RV rv = call(first, rest...);
      outage.Closed(first);
      return ended.value_or(rv);
    }
    return ended ? *ended : Real(function, fault, call, first, rest...);
  }
}

// Tells the kill switch, where one is preloaded, what the token is asked.
class TokenCall {
 public:
  explicit TokenCall(Function function) {
    if (&HallmarkTokenCallBegins == nullptr) return;
    HallmarkTokenCallBegins(kNames[static_cast<std::size_t>(function)].data());
  }
  ~TokenCall() {
    if (&HallmarkTokenCallEnded != nullptr) HallmarkTokenCallEnded();
  }
  TokenCall(const TokenCall&) = delete;
  TokenCall& operator=(const TokenCall&) = delete;
};

// The replacement of one function of the list.
template <auto member, Function function>
struct Replacement;
template <class... Args, CK_RV (*CK_FUNCTION_LIST::*member)(Args...), Function function>
struct Replacement<member, function> {
  static CK_RV Call(Args... args) {
    Faults& faults = Faults::Get();
    const auto real = faults.real->*member;
    const TokenCall token_call(function);
    const std::optional<Strike> strike = faults.Next(function);
    if (!strike) return InOutage<function>(faults, Fault{}, real, args...);
    static Mutex one_at_a_time;
    std::unique_lock<Mutex> turn(one_at_a_time, std::defer_lock);
    if (strike->fault.serial) turn.lock();
    if (!strike->fault.after) {
      faults.Suffer(*strike);
      if (strike->fault.rv != CKR_OK) return strike->fault.rv;
    }
    const CK_RV rv = InOutage<function>(faults, strike->fault, real, args...);
    if (!strike->fault.after) return rv;
    faults.Suffer(*strike);
    return strike->fault.rv != CKR_OK ? strike->fault.rv : rv;
  }
};

CK_RV GetWrapped(CK_FUNCTION_LIST** out) {
  *out = &Faults::Get().wrapped;
  return CKR_OK;
}

}  // namespace

CK_FUNCTION_LIST* FaultList::Wrap(CK_FUNCTION_LIST* real) {
  Faults& faults = Faults::Get();
  faults.real = real;
  faults.wrapped = *real;
  faults.wrapped.C_GetFunctionList = &GetWrapped;
#define HALLMARK_ROW(name) \
  faults.wrapped.name = &Replacement<&CK_FUNCTION_LIST::name, Function::k##name>::Call;
  HALLMARK_FAULT_FUNCTIONS(HALLMARK_ROW)
#undef HALLMARK_ROW
  return &faults.wrapped;
}

void FaultList::Arm(const Fault& fault) { Faults::Get().Arm(fault); }
FaultOutage& FaultList::Outage() { return Faults::Get().outage; }
void FaultList::Disarm() { Faults::Get().Disarm(); }
std::size_t FaultList::Calls(const std::string& function) { return Faults::Get().Calls(function); }
void FaultList::ResetCalls() { Faults::Get().ResetCalls(); }
bool FaultList::WaitForHanging(std::size_t calls, std::chrono::milliseconds at_most) {
  return Faults::Get().WaitForHanging(calls, at_most);
}

}  // namespace hallmark::testing

// The entry of hallmark-fault.so.
extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** out) {
  static CK_FUNCTION_LIST* wrapped = []() -> CK_FUNCTION_LIST* {
    const char* path = std::getenv("HALLMARK_FAULT_MODULE");
    void* module = path == nullptr ? nullptr : ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void* symbol = module == nullptr ? nullptr : ::dlsym(module, "C_GetFunctionList");
    CK_FUNCTION_LIST* real = nullptr;
    if (symbol == nullptr || reinterpret_cast<CK_C_GetFunctionList>(symbol)(&real) != CKR_OK) {
      return nullptr;
    }
    return hallmark::testing::FaultList::Wrap(real);
  }();
  if (wrapped == nullptr) return CKR_GENERAL_ERROR;
  *out = wrapped;
  return CKR_OK;
}
