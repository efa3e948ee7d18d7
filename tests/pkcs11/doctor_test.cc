// What an examination finds out about SoftHSM, and about a SoftHSM that misbehaves.
#include "pkcs11/doctor/doctor.h"

#include "tests/pkcs11/opened_token.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DoctorTest : public ::testing::Test {
 protected:
  void TearDown() override { FaultList::Disarm(); }

  Result<Diagnosis, OpenError> TryExamine() {
    return Examine(options_, random_, {std::chrono::milliseconds(20), 2});
  }
  Diagnosis ExamineToken() {
    Result<Diagnosis, OpenError> diagnosis = TryExamine();
    if (diagnosis.has_value()) return *std::move(diagnosis);
    ADD_FAILURE() << diagnosis.error().message;
    return {};
  }

  std::string PinRefusal() {
    const Result<Diagnosis, OpenError> diagnosis = TryExamine();
    EXPECT_FALSE(diagnosis.has_value());
    if (diagnosis.has_value()) return {};
    EXPECT_EQ(diagnosis.error().failure, OpenFailure::kPinRefused);
    return diagnosis.error().message;
  }

  static Finding Of(const Diagnosis& diagnosis, Subject subject, const std::string& of = "") {
    const auto found =
        std::find_if(diagnosis.findings.begin(), diagnosis.findings.end(),
                     [&](const Finding& f) { return f.subject == subject && f.of == of; });
    if (found != diagnosis.findings.end()) return *found;
    ADD_FAILURE() << "nothing about " << Title(subject) << " of '" << of << "'";
    return {};
  }

  SoftHsmToken token_;
  service::OsRandom random_;
  TokenOptions options_ = token_.options();
};

TEST_F(DoctorTest, SoftHsmPassesEverything) {
  const Diagnosis diagnosis = ExamineToken();
  for (const Finding& finding : diagnosis.findings) {
    EXPECT_EQ(finding.verdict, Verdict::kPasses)
        << Title(finding.subject) << ' ' << finding.of << ": " << finding.detail;
  }
  EXPECT_EQ(diagnosis.findings.size(), 4 * kKeySpecs.size() + 4);
  EXPECT_TRUE(diagnosis.healthy());
  EXPECT_TRUE(diagnosis.makes_keys());
  EXPECT_TRUE(diagnosis.enforces());
  EXPECT_FALSE(diagnosis.lets_keys_out());
  EXPECT_EQ(diagnosis.identity.label, token_.label());
  ASSERT_TRUE(diagnosis.rates.has_value());
  EXPECT_GT(diagnosis.rates->one_thread_per_second, 0);
  EXPECT_GT(diagnosis.rates->threads_per_second, 0);
}

TEST_F(DoctorTest, EnforcementAloneIsFoundOutByOneKey) {
  FaultList::ResetCalls();
  const auto diagnosis = ExamineEnforcement(options_, random_);
  ASSERT_TRUE(diagnosis.has_value()) << diagnosis.error().message;
  EXPECT_EQ(diagnosis->findings.size(), 3U);
  EXPECT_TRUE(diagnosis->enforces());
  EXPECT_EQ(FaultList::Calls("C_GenerateKey"), 1U);
  EXPECT_EQ(ExamineToken().secret_keys, 0U);
}

TEST_F(DoctorTest, KeysThatCopiesAreMadeOfStayUnextractableToo) {
  options_.key_copies = true;
  EXPECT_TRUE(ExamineToken().enforces());
}

TEST_F(DoctorTest, NothingIsLeftOnTheToken) {
  EXPECT_EQ(ExamineToken().secret_keys, 0U);
  EXPECT_EQ(ExamineToken().secret_keys, 0U);
}

TEST_F(DoctorTest, AWrongMacIsAFailure) {
  FaultList::Arm({.function = "C_Sign", .times = 0, .shorten_by = 1});
  const Diagnosis diagnosis = ExamineToken();
  EXPECT_EQ(Of(diagnosis, Subject::kKnownAnswer, "HMAC_384").verdict, Verdict::kFails);
  EXPECT_EQ(Of(diagnosis, Subject::kKeyMaking, "HMAC_384").verdict, Verdict::kFails);
  EXPECT_FALSE(diagnosis.healthy());
  FaultList::Disarm();
  EXPECT_EQ(ExamineToken().secret_keys, 0U) << "keys whose making failed are left";
}

TEST_F(DoctorTest, ATokenThatMakesNoKeysLacksThat) {
  FaultList::Arm({.function = "C_GenerateKey", .rv = CKR_FUNCTION_NOT_SUPPORTED, .times = 0});
  const Diagnosis diagnosis = ExamineToken();
  const Finding making = Of(diagnosis, Subject::kKeyMaking, "HMAC_256");
  EXPECT_EQ(making.verdict, Verdict::kLacks);
  EXPECT_THAT(making.detail, HasSubstr("CKR_FUNCTION_NOT_SUPPORTED"));
  for (const Subject subject : {Subject::kSecrecy, Subject::kFixedInPlace, Subject::kFixedInCopy}) {
    EXPECT_EQ(Of(diagnosis, subject).verdict, Verdict::kNotTried);
  }
  EXPECT_TRUE(diagnosis.healthy());
  EXPECT_FALSE(diagnosis.makes_keys());
  EXPECT_FALSE(diagnosis.enforces()) << "nobody has tried";
  EXPECT_FALSE(diagnosis.lets_keys_out());
  EXPECT_FALSE(diagnosis.rates.has_value());
}

TEST_F(DoctorTest, AKeyWeakerThanAskedIsAFailureAndDestroyed) {
  FaultList::Arm({.function = "C_GenerateKey", .times = 0, .flip = CKA_EXTRACTABLE});
  const Diagnosis diagnosis = ExamineToken();
  const Finding making = Of(diagnosis, Subject::kKeyMaking, "HMAC_512");
  EXPECT_EQ(making.verdict, Verdict::kFails);
  EXPECT_THAT(making.detail, HasSubstr("CKA_EXTRACTABLE is true"));
  EXPECT_EQ(diagnosis.secret_keys, 0U);
}

TEST_F(DoctorTest, TooFewSessionsAreNamed) {
  options_.sessions = 3;
  // The first is that of the login.
  FaultList::Arm({.function = "C_OpenSession", .rv = CKR_SESSION_COUNT, .skip = 3, .times = 1});
  const Finding sessions = Of(ExamineToken(), Subject::kSessions);
  EXPECT_EQ(sessions.verdict, Verdict::kFails);
  EXPECT_EQ(sessions.detail, "2 of 3, then C_OpenSession: CKR_SESSION_COUNT");
}

TEST_F(DoctorTest, APinThatWasRefusedIsNotTriedAgain) {
  token_.ReplacePin("not the PIN");
  const std::string refused = PinRefusal();
  EXPECT_THAT(refused, HasSubstr("refused the PIN"));
  EXPECT_THAT(refused, Not(HasSubstr("not the PIN")));
  EXPECT_THAT(PinRefusal(), HasSubstr("not tried again"));
}

TEST_F(DoctorTest, AnAbsentTokenIsSaidToBeAbsent) {
  options_.uri = "pkcs11:token=nobody?pin-source=user.pin";
  const Result<Diagnosis, OpenError> diagnosis = TryExamine();
  ASSERT_FALSE(diagnosis.has_value());
  EXPECT_EQ(diagnosis.error().failure, OpenFailure::kTokenAbsent);
}

}  // namespace
}  // namespace hallmark::pkcs11
