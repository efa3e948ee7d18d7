#include "pkcs11/doctor/doctor.h"

#include "keystate/key_spec.h"
#include "pkcs11/doctor/trial_object.h"
#include "pkcs11/mechanisms.h"
#include "pkcs11/session.h"
#include "pkcs11/token_access.h"
#include "pkcs11/token_key.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFinds = 5;
constexpr int kTrialMessageBytes = 32;

// One examination, from the login to the last measurement.
class Examination {
 public:
  Examination(const TokenOptions& options, RandomSource& random, const Module& module,
              EnteredToken& entered)
      : options_(options),
        random_(random),
        functions_(module.functions()),
        slot_(entered.token.slot),
        session_(entered.session),
        mechanisms_(Mechanisms::Ask(functions_, slot_)) {
    diagnosis_.identity = Identify(entered.token.info);
  }

  Diagnosis Run(const ExaminationOptions& options) {
    ExamineSessions();
    for (const KeySpecRow& row : kKeySpecs) ExamineSpec(row, options);
    if (!tried_enforcement_) EnforcementNotTried();
    AttributeTemplate all;
    FillSearchTemplate(&all);
    if (const auto keys = session_.Find(all)) diagnosis_.secret_keys = keys->size();
    return std::move(diagnosis_);
  }

  Diagnosis RunEnforcement() {
    for (const KeySpecRow& row : kKeySpecs) {
      const auto mechanism = mechanisms_.For(row.spec, options_.token_id);
      if (!mechanism.has_value()) continue;
      const auto made = MakeKey(session_, *mechanism, NewRequest(row.spec));
      const TrialObject key(session_, made ? made->handle : made.error().handle);
      if (!made) continue;
      ExamineEnforcement(key);
      return std::move(diagnosis_);
    }
    EnforcementNotTried();
    return std::move(diagnosis_);
  }

 private:
  KeyRequest NewRequest(KeySpec spec) {
    KeyRequest request{{}, kDoctorKeyLabel, spec, options_.key_copies};
    random_.Fill(request.id);
    return request;
  }

  void EnforcementNotTried() {
    for (const Subject subject :
         {Subject::kSecrecy, Subject::kFixedInPlace, Subject::kFixedInCopy}) {
      Find(subject, "", Verdict::kNotTried, "no key can be made here");
    }
  }

  void ExamineEnforcement(const TrialObject& key) {
    tried_enforcement_ = true;
    ExamineSecrecy(key.handle());
    ExamineInPlace(key.handle());
    ExamineCopy(key.handle());
  }

  void Find(Subject subject, std::string_view of, Verdict verdict, std::string detail) {
    diagnosis_.findings.push_back({subject, std::string(of), verdict, std::move(detail)});
  }

  TokenIdentity Identify(const CK_TOKEN_INFO& info) const {
    TokenIdentity identity{Unpadded(info.label, sizeof info.label),
                           Unpadded(info.manufacturerID, sizeof info.manufacturerID),
                           Unpadded(info.model, sizeof info.model),
                           Unpadded(info.serialNumber, sizeof info.serialNumber),
                           Version(info.firmwareVersion),
                           {}};
    CK_INFO library{};
    if (functions_.C_GetInfo(&library) == CKR_OK) {
      identity.library = Unpadded(library.libraryDescription, sizeof library.libraryDescription) +
                         " " + Version(library.libraryVersion);
    }
    return identity;
  }

  static std::string Version(const CK_VERSION& version) {
    return std::to_string(version.major) + "." + std::to_string(version.minor);
  }

  // Those that the configuration wants, open at a time, beside whatever else uses the token.
  void ExamineSessions() {
    const std::size_t wanted =
        options_.sessions > 0 ? options_.sessions
                              : 2 * std::max<std::size_t>(1, std::thread::hardware_concurrency());
    std::vector<Session> open;
    open.reserve(wanted);
    while (open.size() < wanted) {
      CkResult<Session> session = Session::Open(functions_, slot_);
      if (!session.has_value()) {
        Find(Subject::kSessions, "", Verdict::kFails,
             std::to_string(open.size()) + " of " + std::to_string(wanted) + ", then " +
                 ToString(session.error()));
        return;
      }
      open.push_back(*std::move(session));
    }
    Find(Subject::kSessions, "", Verdict::kPasses, std::to_string(wanted) + " at a time");
  }

  void ExamineSpec(const KeySpecRow& row, const ExaminationOptions& options) {
    const auto mechanism = mechanisms_.For(row.spec, options_.token_id);
    if (!mechanism.has_value()) {
      Find(Subject::kMechanism, row.name, Verdict::kLacks, mechanism.error().message);
      return;
    }
    Find(Subject::kMechanism, row.name, Verdict::kPasses, "");
    ExamineKnownAnswer(row, *mechanism);
    ExamineKeyMaking(row, *mechanism, options);
  }

  void ExamineKnownAnswer(const KeySpecRow& row, CK_MECHANISM_TYPE mechanism) {
    const CkResult<TrialObject> key = CreateKnownKey(session_, row.spec);
    if (!key.has_value()) {
      Find(Subject::kKnownAnswer, row.name, Verdict::kNotTried,
           "a key with a known value cannot be written (" + ToString(key.error()) + ")");
      return;
    }
    const KnownAnswer& known = KnownAnswerOf(row.spec);
    const CkResult<MacTag> tag =
        session_.Sign(mechanism, key->handle(), AsBytes(known.message), row.mac_bytes);
    if (!tag.has_value()) {
      Find(Subject::kKnownAnswer, row.name, Verdict::kFails, ToString(tag.error()));
    } else if (ToHex(tag->bytes()) != known.tag_hex) {
      Find(Subject::kKnownAnswer, row.name, Verdict::kFails, "another MAC than RFC 4231 has");
    } else {
      Find(Subject::kKnownAnswer, row.name, Verdict::kPasses, "RFC 4231, case 1");
    }
  }

  void ExamineKeyMaking(const KeySpecRow& row, CK_MECHANISM_TYPE mechanism,
                        const ExaminationOptions& options) {
    const KeyRequest request = NewRequest(row.spec);
    const Result<MadeKey, KeyRefusal> made = MakeKey(session_, mechanism, request);
    if (!made.has_value()) {
      const KeyRefusal& refusal = made.error();
      const TrialObject left(session_, refusal.handle);
      const bool lacks = refusal.fault && Classify(refusal.fault->rv) == CkClass::kUnsupported;
      Find(Subject::kKeyMaking, row.name, lacks ? Verdict::kLacks : Verdict::kFails,
           refusal.reason);
      return;
    }
    const TrialObject key(session_, made->handle);
    Find(Subject::kKeyMaking, row.name, Verdict::kPasses,
         made->key.local ? "" : "CKA_LOCAL is false nevertheless");
    ExamineRoundTrip(row, mechanism, key);
    if (tried_enforcement_) return;
    ExamineEnforcement(key);
    MeasureFind(request.id);
    MeasureRates(row, mechanism, key.handle(), options);
  }

  void ExamineRoundTrip(const KeySpecRow& row, CK_MECHANISM_TYPE mechanism,
                        const TrialObject& key) {
    const CkResult<std::string> mistake = FindMistake(row, mechanism, key.handle());
    if (!mistake.has_value()) {
      Find(Subject::kRoundTrip, row.name, Verdict::kFails, ToString(mistake.error()));
      return;
    }
    Find(Subject::kRoundTrip, row.name, mistake->empty() ? Verdict::kPasses : Verdict::kFails,
         *mistake);
  }

  // Empty: none.
  CkResult<std::string> FindMistake(const KeySpecRow& row, CK_MECHANISM_TYPE mechanism,
                                    CK_OBJECT_HANDLE key) {
    HALLMARK_ASSIGN_OR_RETURN(Session other, Session::Open(functions_, slot_));
    const auto sign = [&](Session& session, std::string_view message) {
      return session.Sign(mechanism, key, AsBytes(message), row.mac_bytes);
    };
    HALLMARK_ASSIGN_OR_RETURN(const MacTag first, sign(session_, "one message"));
    HALLMARK_ASSIGN_OR_RETURN(const MacTag again, sign(other, "one message"));
    HALLMARK_ASSIGN_OR_RETURN(const MacTag different, sign(other, "one messagf"));
    if (!EqualInConstantTime(first.bytes(), again.bytes())) {
      return std::string("two sessions make different MACs of one message");
    }
    if (EqualInConstantTime(first.bytes(), different.bytes())) {
      return std::string("two messages have one MAC");
    }
    return std::string();
  }

  void ExamineSecrecy(CK_OBJECT_HANDLE key) {
    CkResult<Bytes> value = session_.ReadAttribute(key, CKA_VALUE);
    if (!value.has_value()) {
      Find(Subject::kSecrecy, "", Verdict::kPasses, ToString(value.error()));
      return;
    }
    std::fill(value->begin(), value->end(), std::byte{0});
    Find(Subject::kSecrecy, "", Verdict::kFails, "C_GetAttributeValue gives CKA_VALUE");
  }

  void ExamineInPlace(CK_OBJECT_HANDLE key) {
    AttributeTemplate extractable;
    extractable.Add(CKA_EXTRACTABLE, true);
    Judge(Subject::kFixedInPlace, session_.SetAttributes(key, extractable), key);
  }

  void ExamineCopy(CK_OBJECT_HANDLE key) {
    AttributeTemplate extractable;
    extractable.Add(CKA_EXTRACTABLE, true);
    extractable.Add(CKA_TOKEN, false);
    const CkResult<CK_OBJECT_HANDLE> made = session_.Copy(key, extractable);
    if (!made.has_value()) {
      Judge(Subject::kFixedInCopy, Unexpected(made.error()), CK_INVALID_HANDLE);
      return;
    }
    const TrialObject copy(session_, *made);
    Judge(Subject::kFixedInCopy, {}, copy.handle());
  }

  // `tried` to make `object` extractable. A token may say yes and change nothing.
  void Judge(Subject subject, const CkStatus& tried, CK_OBJECT_HANDLE object) {
    if (!tried.has_value()) {
      Find(subject, "", Verdict::kPasses, ToString(tried.error()));
      return;
    }
    const CkResult<bool> extractable = ReadFlag(session_, object, CKA_EXTRACTABLE);
    if (extractable.has_value() && !*extractable) {
      Find(subject, "", Verdict::kPasses, "CKA_EXTRACTABLE stays false");
    } else {
      Find(subject, "", Verdict::kFails, "CKA_EXTRACTABLE became true");
    }
  }

  void MeasureFind(const CkaId& id) {
    std::array<std::chrono::nanoseconds, kFinds> costs{};
    for (std::chrono::nanoseconds& cost : costs) {
      AttributeTemplate search;
      FillSearchTemplate(id, &search);
      const Clock::time_point start = Clock::now();
      if (!session_.Find(search).has_value()) return;
      cost = Clock::now() - start;
    }
    std::sort(costs.begin(), costs.end());
    diagnosis_.find_cost = costs[kFinds / 2];
  }

  void MeasureRates(const KeySpecRow& row, CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE key,
                    const ExaminationOptions& options) {
    const auto rate = [&](std::size_t threads) {
      std::atomic<std::size_t> made = 0;
      const Clock::time_point start = Clock::now();
      const Clock::time_point end = start + options.rate_time;
      {
        std::vector<std::jthread> working;
        working.reserve(threads);
        for (std::size_t i = 0; i < threads; ++i) {
          working.emplace_back([&] { made += SignUntil(end, row, mechanism, key); });
        }
      }
      return static_cast<double>(made) /
             std::chrono::duration<double>(Clock::now() - start).count();
    };
    const double alone = rate(1);
    diagnosis_.rates = Rates{alone, rate(options.rate_threads), options.rate_threads};
  }

  std::size_t SignUntil(Clock::time_point end, const KeySpecRow& row, CK_MECHANISM_TYPE mechanism,
                        CK_OBJECT_HANDLE key) const {
    CkResult<Session> session = Session::Open(functions_, slot_);
    if (!session.has_value()) return 0;
    const Bytes message(kTrialMessageBytes);
    std::size_t made = 0;
    while (Clock::now() < end &&
           session->Sign(mechanism, key, message, row.mac_bytes).has_value()) {
      ++made;
    }
    return made;
  }

  const TokenOptions& options_;
  RandomSource& random_;
  const CK_FUNCTION_LIST& functions_;
  CK_SLOT_ID slot_;
  Session& session_;
  Mechanisms mechanisms_;
  bool tried_enforcement_ = false;
  Diagnosis diagnosis_;
};

// `run` examines the token, once somebody is logged in.
template <class Run>
Result<Diagnosis, OpenError> Enter(const TokenOptions& token, RandomSource& random, Run run) {
  // A daemon may be at work on the token's files, so nothing is put back there.
  TokenOptions beside = token;
  beside.sync_path.clear();
  HALLMARK_ASSIGN_OR_RETURN(const TokenAccess access, TokenAccess::Prepare(beside, random));
  HALLMARK_ASSIGN_OR_RETURN(EnteredToken entered, access.Enter(std::nullopt));
  return run(Examination(beside, random, *access.module(), entered));
}

}  // namespace

Result<Diagnosis, OpenError> Examine(const TokenOptions& token, RandomSource& random,
                                     const ExaminationOptions& options) {
  return Enter(token, random, [&](Examination examination) { return examination.Run(options); });
}

Result<Diagnosis, OpenError> ExamineEnforcement(const TokenOptions& token, RandomSource& random) {
  return Enter(token, random, [](Examination examination) { return examination.RunEnforcement(); });
}

}  // namespace hallmark::pkcs11
