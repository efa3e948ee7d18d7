#include "pkcs11/mac_signer.h"

#include "pkcs11/check_value.h"

#include <chrono>
#include <exception>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

constexpr const char* kTwice = "exists more than once: remove the wrong one";
// For one call.
constexpr int kMostRepairs = 3;
// Not the token's word: our own, for a session that must not be used on.
constexpr CkFault kNumberedAnew{CKR_FUNCTION_CANCELED, "handles may have been numbered anew"};

}  // namespace

CkStatus MacSigner::EnsureLease(SteadyTime deadline) {
  if (lease_ && lease_->unwelcome()) lease_.reset();
  if (lease_) return {};
  HALLMARK_ASSIGN_OR_RETURN(Lease lease, connection_->pool().Acquire(deadline));
  lease_.emplace(std::move(lease));
  return {};
}

void MacSigner::DropLease() {
  if (lease_) lease_->Spoil();
  lease_.reset();
}

Error MacSigner::Alarm(const CkaId& id, std::uint64_t generation, const std::string& reason) {
  const std::string text = "the key with CKA_ID " + ToHex(id) + " " + reason;
  if (connection_->handles().ClaimAlarm(id, generation)) {
    connection_->Notify(Severity::kAlarm, "token " + connection_->token_id() + ": " + text);
  }
  return MacError(text, connection_->token_id());
}

Result<MacTag> MacSigner::Compute(const MacTask& task, SteadyTime deadline,
                                  const Admission& admit) {
  if (!connection_->available()) {
    return Unexpected(MacError("the token is out of service", connection_->token_id()));
  }
  try {
    return Climb(task, deadline, admit);
  } catch (const std::exception& thrown) {
    DropLease();  // nobody knows what was under way in the session
    return Fail(Exception::kKMSInternalException, "The request could not be processed.",
                thrown.what());
  }
}

CkResult<Result<MacTag>> MacSigner::Attempt(const MacTask& task, const Admission& admit,
                                            std::optional<MacKey>* last_admitted) {
  const std::string& token_id = connection_->token_id();
  const auto refuse = [](Error error) { return Result<MacTag>(Unexpected(std::move(error))); };
  for (;;) {
    // The one place where a task is admitted. Whatever makes the task wait from here on leads back
    // to here, so nothing but C_SignInit follows on the last admission.
    const Result<MacKey> admitted = admit();
    if (!admitted.has_value()) return refuse(admitted.error());
    const MacKey& key = *admitted;
    *last_admitted = key;

    if (key.cka_id == connection_->anchor_id()) {
      return refuse(MacError("the anchor key serves no callers", token_id));
    }
    const Result<CK_MECHANISM_TYPE> mechanism = connection_->mechanisms().For(key.spec, token_id);
    if (!mechanism.has_value()) return refuse(mechanism.error());
    const KeyHandles::Numbering numbering = connection_->handles().numbering();
    if (!numbering.settled()) return Unexpected(kNumberedAnew);
    const auto found = connection_->handles().Find(key.cka_id);
    if (!found) {
      return refuse(MacError("no key with CKA_ID " + ToHex(key.cka_id) + " on it", token_id));
    }
    const KeyEntry& entry = found->entry;
    if (entry.ambiguous) return refuse(Alarm(key.cka_id, found->generation, kTwice));
    if (entry.left_alone_for.count() > 0 &&
        std::chrono::steady_clock::now() < entry.left_alone_until) {
      return refuse(MacError(
          "the key with CKA_ID " + ToHex(key.cka_id) + " makes it fail and is left alone a while",
          token_id));
    }
    if (!entry.check_value || entry.spec != key.spec) {
      HALLMARK_ASSIGN_OR_RETURN(const Result<KeyCheckValue> proven, Prove(key, *mechanism, *found));
      if (!proven.has_value()) return refuse(proven.error());
      continue;  // that was a wait: much may have been revoked
    }
    if (!EqualInConstantTime(*entry.check_value, key.check_value)) {
      return refuse(
          Alarm(key.cka_id, found->generation,
                "is not the key that was made under it (key check value differs): it was swapped"));
    }
    HALLMARK_ASSIGN_OR_RETURN(
        const MacTag tag,
        lease_->session().Sign(*mechanism, entry.handle, task.message(), Row(key.spec).mac_bytes));
    // Perhaps the tag of another key.
    if (connection_->handles().numbering() != numbering) return Unexpected(kNumberedAnew);
    if (entry.suspicion % 2 == 1) connection_->handles().Acquit(key.cka_id, entry.suspicion);
    return Result<MacTag>(tag);
  }
}

CkResult<Result<KeyCheckValue>> MacSigner::Prove(const MacKey& key, CK_MECHANISM_TYPE mechanism,
                                                 const KeyHandles::Found& found) {
  CK_OBJECT_HANDLE handle = found.entry.handle;
  if (handle == CK_INVALID_HANDLE) {
    HALLMARK_ASSIGN_OR_RETURN(const Result<CK_OBJECT_HANDLE> located,
                              Locate(key.cka_id, found.generation));
    if (!located.has_value()) return Result<KeyCheckValue>(Unexpected(located.error()));
    handle = *located;
  }
  HALLMARK_ASSIGN_OR_RETURN(const KeyCheckValue value,
                            ComputeCheckValue(lease_->session(), mechanism, handle, key.spec));
  connection_->handles().SetProven(key.cka_id, found.generation, handle, key.spec, value);
  return Result<KeyCheckValue>(value);
}

CkResult<Result<CK_OBJECT_HANDLE>> MacSigner::Locate(const CkaId& id, std::uint64_t generation) {
  using Located = Result<CK_OBJECT_HANDLE>;
  AttributeTemplate search;
  FillSearchTemplate(id, &search);
  HALLMARK_ASSIGN_OR_RETURN(const std::vector<CK_OBJECT_HANDLE> handles,
                            lease_->session().Find(search));
  if (handles.size() > 1) return Located(Unexpected(Alarm(id, generation, kTwice)));
  if (handles.empty()) {
    return Located(Unexpected(
        MacError("no key with CKA_ID " + ToHex(id) + " on it", connection_->token_id())));
  }
  return Located(handles.front());
}

void MacSigner::DropLeaseAfter(const CkFault& fault) {
  // C_SignInit refused the key or the mechanism: nothing is under way. C_Sign may have left the
  // operation behind.
  if (std::string_view(fault.function) != "C_SignInit") DropLease();
}

bool MacSigner::Blame(const MacKey& key, std::uint64_t* suspicion) {
  KeyHandles& handles = connection_->handles();
  const SteadyTime now = std::chrono::steady_clock::now();
  // The anchor was good in between, or the call would not have been repeated.
  if (*suspicion != 0 && handles.LeaveAlone(key.cka_id, *suspicion, now)) return true;
  *suspicion = handles.Suspect(key.cka_id);
  return false;
}

Result<MacTag> MacSigner::Climb(const MacTask& task, SteadyTime deadline, const Admission& admit) {
  const std::string& token_id = connection_->token_id();
  const KeyHandles& handles = connection_->handles();
  std::optional<std::uint64_t> lost_session_under;
  bool found_no_room = false;
  int repairs = 0;
  std::optional<MacKey> key;
  std::uint64_t suspicion = 0;
  for (;;) {
    std::uint64_t generation = handles.generation();
    CkStatus leased = EnsureLease(deadline);
    if (leased.has_value()) generation = handles.generation();  // that was perhaps a long wait
    CkResult<Result<MacTag>> attempt =
        leased.has_value() ? Attempt(task, admit, &key) : Unexpected(leased.error());
    if (attempt.has_value()) return *std::move(attempt);

    // HMAC is idempotent, so repeating is safe.
    const CkFault fault = attempt.error();
    const Error refusal = MacError(fault, token_id);
    if (fault.function == kNumberedAnew.function) {
      DropLease();
      continue;  // the pool lends nothing until the numbering is settled
    }
    const bool had_session = lease_.has_value();
    Trouble trouble = Trouble::kSession;
    switch (Classify(fault.rv)) {
      case CkClass::kSession:
        break;
      case CkClass::kLogin:
      case CkClass::kHandle:
        trouble = Trouble::kLogin;
        break;
      case CkClass::kPin:
      case CkClass::kDevice:
        trouble = Trouble::kDevice;
        break;
      case CkClass::kBusy:
        DropLease();
        if (!had_session || std::exchange(found_no_room, true)) return Unexpected(refusal);
        connection_->pool().Shed();
        continue;
      case CkClass::kData:
        if (fault.rv == CKR_SIGNATURE_LEN_RANGE && key) {
          DropLease();
          return Unexpected(Alarm(key->cka_id, generation, "gave a MAC of a wrong length"));
        }
        DropLeaseAfter(fault);
        return Unexpected(refusal);
      case CkClass::kOk:
      case CkClass::kUnsupported:
        DropLeaseAfter(fault);
        return Unexpected(refusal);
    }
    DropLease();
    // What failed before the token was brought back says nothing of it now.
    if (handles.generation() != generation) continue;
    if (trouble == Trouble::kSession) {
      if (lost_session_under == generation) return Unexpected(refusal);
      lost_session_under = generation;
      connection_->CountReplacedSession();
    } else if (had_session && key && Blame(*key, &suspicion)) {
      return Unexpected(refusal);
    }
    if (++repairs > kMostRepairs) return Unexpected(refusal);
    const Result<void, OpenError> mended =
        connection_->Mend(trouble, ToString(fault), generation, deadline);
    if (!mended.has_value()) return Unexpected(MacError(mended.error().message, token_id));
  }
}

}  // namespace hallmark::pkcs11
