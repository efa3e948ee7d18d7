#include "pkcs11/key_control.h"

#include "keystate/mutex.h"
#include "pkcs11/check_value.h"
#include "pkcs11/token_key.h"
#include "pkcs11/token_thread.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

constexpr std::string_view kKeyLabel = "hallmark";

// Why an operation failed on the token, and whether it may be begun again.
struct Interruption {
  CkFault fault;
  bool repeatable;
};
// The outer failure is for the ladder, the inner one for the caller.
template <class T>
using Outcome = Result<Result<T>, Interruption>;

std::optional<Trouble> TroubleOf(CkClass what) {
  switch (what) {
    case CkClass::kSession:
      return Trouble::kSession;
    case CkClass::kLogin:
    case CkClass::kHandle:
      return Trouble::kLogin;
    case CkClass::kPin:
    case CkClass::kDevice:
      return Trouble::kDevice;
    case CkClass::kOk:
    case CkClass::kData:
    case CkClass::kUnsupported:
    case CkClass::kBusy:
      break;
  }
  return std::nullopt;
}

// Not the token's word: our own, where a handle may have become another key's.
constexpr CkFault kNumberedAnew{CKR_FUNCTION_CANCELED, "handles may have been numbered anew"};

// Runs `operation` on a session; once more after a session, login or handle error, where that does
// no harm.
template <class T>
Result<T> OnSession(Connection& connection, SteadyTime deadline,
                    const std::function<Outcome<T>(Session&)>& operation) {
  const std::string& token_id = connection.token_id();
  for (bool repeated = false;; repeated = true) {
    if (!connection.available()) {
      return Unexpected(ControlError("it is out of service", token_id));
    }
    const std::uint64_t generation = connection.handles().generation();
    CkResult<Lease> lease = connection.pool().Acquire(deadline);
    if (std::chrono::steady_clock::now() >= deadline) {
      return Unexpected(ControlError("no session was free before the deadline", token_id));
    }
    Outcome<T> done = lease.has_value() ? operation(lease->session())
                                        : Unexpected(Interruption{lease.error(), true});
    if (done.has_value()) return *std::move(done);

    const auto [fault, repeatable] = done.error();
    // The data was fine when it left us, so the session's state is in doubt whatever the error
    // says.
    if (lease.has_value()) lease->Spoil();
    const CkClass what = Classify(fault.rv);
    lease = Unexpected(fault);  // given back: who mends waits for it
    const std::optional<Trouble> trouble = TroubleOf(what);
    if (!trouble) return Unexpected(ControlError(fault, token_id));
    const bool tell_only = repeated || !repeatable;
    if (tell_only && *trouble != Trouble::kDevice) return Unexpected(ControlError(fault, token_id));
    const Result<void, OpenError> mended =
        connection.Mend(*trouble, ToString(fault), generation, deadline);
    if (tell_only) return Unexpected(ControlError(fault, token_id));
    if (!mended.has_value()) return Unexpected(ControlError(mended.error().message, token_id));
  }
}

Status Sync(const Connection& connection) {
  const Result<void, std::string> synced = SyncFileSystem(connection.options().sync_path);
  if (!synced.has_value()) return Unexpected(ControlError(synced.error(), connection.token_id()));
  return {};
}

Result<GeneratedKey> GenerateOn(Connection& connection, CK_MECHANISM_TYPE mechanism,
                                const CkaId& id, KeySpec spec, SteadyTime deadline) {
  const KeyRequest request{id, kKeyLabel, spec, connection.options().key_copies};
  std::uint64_t generation = 0;
  const auto make = [&](Session& session) -> Outcome<MadeKey> {
    generation = connection.handles().generation();
    const KeyHandles::Numbering numbering = connection.handles().numbering();
    const Result<MadeKey, KeyRefusal> made = MakeKey(session, mechanism, request);
    // What was read back may be another key's.
    if (connection.handles().numbering() != numbering) {
      return Unexpected(Interruption{kNumberedAnew, false});
    }
    connection.handles().Settle(made.has_value() ? made->handle : made.error().handle);
    if (made.has_value()) return Result<MadeKey>(*made);
    const KeyRefusal& refusal = made.error();
    if (refusal.fault) return Unexpected(Interruption{*refusal.fault, !refusal.object_may_exist});
    connection.Notify(Severity::kAlarm, "token " + connection.token_id() + ": " + refusal.reason);
    return Result<MadeKey>(Unexpected(ControlError(refusal.reason, connection.token_id())));
  };
  HALLMARK_ASSIGN_OR_RETURN(const MadeKey made, OnSession<MadeKey>(connection, deadline, make));
  HALLMARK_RETURN_IF_ERROR(Sync(connection));
  KeyEntry entry;
  entry.handle = made.handle;
  entry.check_value = made.key.check_value;
  entry.spec = spec;
  connection.handles().Add(id, generation, entry);
  return made.key;
}

// The handle that the key had; CK_INVALID_HANDLE if there was none to destroy.
CkResult<Result<CK_OBJECT_HANDLE>> FindAndDestroy(Session& session, const KeyHandles& handles,
                                                  const CkaId& id, const std::string& token_id) {
  const KeyHandles::Numbering numbering = handles.numbering();
  // Searched for anew: what is destroyed is what the token holds now, not what a scan once saw.
  AttributeTemplate search;
  FillSearchTemplate(id, &search);
  HALLMARK_ASSIGN_OR_RETURN(const std::vector<CK_OBJECT_HANDLE> found, session.Find(search));
  if (found.size() > 1) {
    return Result<CK_OBJECT_HANDLE>(
        Fail(Exception::kKMSInternalException,
             "Two keys on the token share one identifier; neither was destroyed.",
             "token " + token_id + ": CKA_ID " + ToHex(id)));
  }
  if (found.empty()) return Result<CK_OBJECT_HANDLE>(CK_INVALID_HANDLE);
  if (!numbering.settled() || handles.numbering() != numbering) return Unexpected(kNumberedAnew);
  HALLMARK_RETURN_IF_ERROR(session.Destroy(found.front()));
  return Result<CK_OBJECT_HANDLE>(found.front());
}

Result<bool> DestroyOn(Connection& connection, const CkaId& id, SteadyTime deadline) {
  using Handle = CK_OBJECT_HANDLE;
  const auto destroy = [&](Session& session) -> Outcome<Handle> {
    CkResult<Result<Handle>> destroyed =
        FindAndDestroy(session, connection.handles(), id, connection.token_id());
    if (destroyed.has_value()) return *std::move(destroyed);
    // Wherever it stopped: the next search sees what this try did.
    return Unexpected(Interruption{destroyed.error(), true});
  };
  HALLMARK_ASSIGN_OR_RETURN(const Handle destroyed,
                            OnSession<Handle>(connection, deadline, destroy));
  connection.handles().Remove(id);
  connection.handles().Settle(destroyed);
  if (destroyed != CK_INVALID_HANDLE) {
    HALLMARK_RETURN_IF_ERROR(Sync(connection));
  }
  return destroyed != CK_INVALID_HANDLE;
}

struct Examination {
  CK_OBJECT_HANDLE handle;
  ExaminedKey key;
};

Outcome<Examination> FindAndExamine(Session& session, const CkaId& id, CK_MECHANISM_TYPE mechanism,
                                    KeySpec spec) {
  const auto interrupted = [](const CkFault& fault) {
    return Unexpected(Interruption{fault, /*repeatable=*/true});
  };
  const auto refused = [](Exception exception, const std::string& message) {
    return Result<Examination>(Fail(exception, message));
  };
  AttributeTemplate search;
  FillSearchTemplate(id, &search);
  const CkResult<std::vector<CK_OBJECT_HANDLE>> found = session.Find(search);
  if (!found.has_value()) return interrupted(found.error());
  if (found->empty()) {
    return refused(Exception::kNotFoundException,
                   "The token has no secret key with CKA_ID " + ToHex(id) + ".");
  }
  if (found->size() > 1) {
    return refused(Exception::kValidationException,
                   "Two keys on the token have CKA_ID " + ToHex(id) + ".");
  }
  const CkResult<std::string> weakness = FindWeaknessOfForeign(session, found->front());
  if (!weakness.has_value()) return interrupted(weakness.error());
  if (!weakness->empty()) {
    return refused(Exception::kValidationException,
                   "The object is weaker than a key may be: " + *weakness + ".");
  }
  const CkResult<KeyCheckValue> check_value =
      ComputeCheckValue(session, mechanism, found->front(), spec);
  if (!check_value.has_value()) return interrupted(check_value.error());
  // Recorded, not required, as of keys that are made here.
  const CkResult<bool> local = ReadFlag(session, found->front(), CKA_LOCAL);
  return Result<Examination>(
      Examination{found->front(), {*check_value, local.has_value() && *local}});
}

Result<ExaminedKey> ExamineOn(Connection& connection, CK_MECHANISM_TYPE mechanism, const CkaId& id,
                              KeySpec spec, SteadyTime deadline) {
  std::uint64_t generation = 0;
  const auto examine = [&](Session& session) -> Outcome<Examination> {
    generation = connection.handles().generation();
    const KeyHandles::Numbering numbering = connection.handles().numbering();
    Outcome<Examination> examined = FindAndExamine(session, id, mechanism, spec);
    // What was read may be another key's.
    if (!numbering.settled() || connection.handles().numbering() != numbering) {
      return Unexpected(Interruption{kNumberedAnew, true});
    }
    return examined;
  };
  HALLMARK_ASSIGN_OR_RETURN(const Examination examined,
                            OnSession<Examination>(connection, deadline, examine));
  // It may have come after the last scan.
  KeyEntry entry;
  entry.handle = examined.handle;
  entry.check_value = examined.key.check_value;
  entry.spec = spec;
  connection.handles().Add(id, generation, entry);
  return examined.key;
}

}  // namespace

// Bounds the threads, and keeps operations on one CKA_ID apart. Owned by those threads too.
class KeyControl::Gate {
 public:
  // Held by the thread of an operation.
  class Place {
   public:
    Place(std::shared_ptr<Gate> gate, const std::optional<CkaId>& id)
        : gate_(std::move(gate)), id_(id) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { gate_->Leave(id_); }

   private:
    const std::shared_ptr<Gate> gate_;
    const std::optional<CkaId> id_;
  };

  // Null if there was no place by then.
  static std::shared_ptr<Place> Enter(const std::shared_ptr<Gate>& gate,
                                      const std::optional<CkaId>& id, SteadyTime deadline) {
    {
      MutexLock lock(gate->mu_);
      while (!gate->MayEnter(id)) {
        if (gate->left_.wait_until(gate->mu_, deadline) == std::cv_status::timeout &&
            !gate->MayEnter(id)) {
          return nullptr;
        }
      }
      gate->under_way_.push_back(id);
    }
    return std::make_shared<Place>(gate, id);
  }

  void WaitUntilEmpty(SteadyTime deadline) HALLMARK_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (!under_way_.empty()) {
      if (left_.wait_until(mu_, deadline) == std::cv_status::timeout) return;
    }
  }

 private:
  bool MayEnter(const std::optional<CkaId>& id) const HALLMARK_REQUIRES(mu_) {
    return under_way_.size() < kControlSessions &&
           (!id || std::find(under_way_.begin(), under_way_.end(), id) == under_way_.end());
  }
  void Leave(const std::optional<CkaId>& id) HALLMARK_EXCLUDES(mu_) {
    {
      MutexLock lock(mu_);
      under_way_.erase(std::find(under_way_.begin(), under_way_.end(), id));
    }
    left_.notify_all();
  }

  Mutex mu_;
  ConditionVariable left_;
  std::vector<std::optional<CkaId>> under_way_ HALLMARK_GUARDED_BY(mu_);
};

KeyControl::KeyControl(std::shared_ptr<Connection> connection)
    : connection_(std::move(connection)), gate_(std::make_shared<Gate>()) {}

void KeyControl::WaitUntilIdle(SteadyTime deadline) { gate_->WaitUntilEmpty(deadline); }

template <class T>
Result<T> KeyControl::OnThread(const std::optional<CkaId>& id, SteadyTime deadline,
                               std::function<Result<T>()> operation) {
  const std::string& token_id = connection_->token_id();
  if (!connection_->available()) return Unexpected(ControlError("it is out of service", token_id));
  std::shared_ptr<Gate::Place> place = Gate::Enter(gate_, id, deadline);
  if (place == nullptr) {
    return Unexpected(ControlError("earlier operations have not come back from it", token_id));
  }
  const auto answer = std::make_shared<std::optional<Result<T>>>();
  TokenThread thread([operation = std::move(operation), place = std::move(place), answer] {
    try {
      answer->emplace(operation());
    } catch (const std::exception& thrown) {
      answer->emplace(Fail(Exception::kKMSInternalException, "The request could not be processed.",
                           thrown.what()));
    }
  });
  if (!thread.JoinUntil(deadline)) {
    return Unexpected(ControlError("it did not answer before the deadline", token_id));
  }
  return **answer;
}

Result<GeneratedKey> KeyControl::Generate(const CkaId& id, KeySpec spec, SteadyTime deadline) {
  HALLMARK_ASSIGN_OR_RETURN(const CK_MECHANISM_TYPE mechanism,
                            connection_->mechanisms().For(spec, connection_->token_id()));
  return OnThread<GeneratedKey>(id, deadline,
                                [connection = connection_, mechanism, id, spec, deadline] {
                                  return GenerateOn(*connection, mechanism, id, spec, deadline);
                                });
}

Status KeyControl::Destroy(const CkaId& id, SteadyTime deadline) {
  if (id == connection_->anchor_id()) {
    return Fail(Exception::kKMSInternalException, "The anchor key cannot be destroyed.");
  }
  HALLMARK_RETURN_IF_ERROR(OnThread<bool>(id, deadline, [connection = connection_, id, deadline] {
    return DestroyOn(*connection, id, deadline);
  }));
  return {};
}

Result<ExaminedKey> KeyControl::Examine(const CkaId& id, KeySpec spec, SteadyTime deadline) {
  HALLMARK_ASSIGN_OR_RETURN(const CK_MECHANISM_TYPE mechanism,
                            connection_->mechanisms().For(spec, connection_->token_id()));
  return OnThread<ExaminedKey>(id, deadline,
                               [connection = connection_, mechanism, id, spec, deadline] {
                                 return ExamineOn(*connection, mechanism, id, spec, deadline);
                               });
}

Result<Bytes> KeyControl::Random(std::size_t size_bytes, SteadyTime deadline) {
  return OnThread<Bytes>(std::nullopt, deadline, [connection = connection_, size_bytes, deadline] {
    return OnSession<Bytes>(*connection, deadline,
                            [size_bytes](Session& session) -> Outcome<Bytes> {
                              CkResult<Bytes> random = session.GenerateRandom(size_bytes);
                              if (!random.has_value())
                                return Unexpected(Interruption{random.error(), true});
                              return Result<Bytes>(*std::move(random));
                            });
  });
}

}  // namespace hallmark::pkcs11
