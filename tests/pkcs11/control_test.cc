// Making and destroying keys when the token fails or hangs half-way.
#include "tests/pkcs11/opened_token.h"

#include <chrono>
#include <thread>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class ControlTest : public OpenedTokenTest {
 protected:
  Result<GeneratedKey> GenerateWithin(const CkaId& id, milliseconds limit) {
    return hsm_->GenerateKey(id, KeySpec::kHmac256, In(limit));
  }
};

TEST_F(ControlTest, AKeyIsNotMadeTwiceWhenASessionIsLostAfterItWasMade) {
  for (const char* function : {"C_GetAttributeValue", "C_SignInit", "C_Sign"}) {
    for (const CK_RV rv : {CKR_SESSION_CLOSED, CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID}) {
      FaultList::ResetCalls();
      FaultList::Arm({.function = function, .rv = rv});
      const CkaId id = RandomId();
      EXPECT_THAT(GenerateWithin(id, kLong), Raises(Exception::kDependencyTimeoutException));
      EXPECT_EQ(FaultList::Calls("C_GenerateKey"), 1u) << function;
      EXPECT_EQ(TestSession(token_).Find(id).size(), 1u);
      EXPECT_THAT(hsm_->DestroyKey(id, In(kLong)), IsOk());
      EXPECT_TRUE(TestSession(token_).Find(id).empty());
    }
  }
}

TEST_F(ControlTest, AKeyIsNotMadeTwiceWhenTheCallThatMadeItLostItsSession) {
  FaultList::ResetCalls();
  FaultList::Arm({.function = "C_GenerateKey", .rv = CKR_SESSION_CLOSED, .after = true});
  const CkaId id = RandomId();
  EXPECT_THAT(GenerateWithin(id, kLong), Raises(Exception::kDependencyTimeoutException));
  EXPECT_EQ(FaultList::Calls("C_GenerateKey"), 1u);
  EXPECT_EQ(TestSession(token_).Find(id).size(), 1u);
}

TEST_F(ControlTest, AKeyThatWasCertainlyNotBegunIsMadeAtTheSecondTry) {
  for (const CK_RV rv : {CKR_USER_NOT_LOGGED_IN, CKR_SESSION_HANDLE_INVALID}) {
    FaultList::Arm({.function = "C_GenerateKey", .rv = rv});
    const CkaId id = RandomId();
    EXPECT_THAT(GenerateWithin(id, kLong), IsOk());
    EXPECT_EQ(TestSession(token_).Find(id).size(), 1u);
  }
}

TEST_F(ControlTest, AnInterruptedDestructionIsFinished) {
  const MacKey key = Generate();
  FaultList::Arm({.function = "C_DestroyObject", .rv = CKR_SESSION_CLOSED, .after = true});
  EXPECT_THAT(hsm_->DestroyKey(key.cka_id, In(kLong)), IsOk());
  EXPECT_TRUE(TestSession(token_).Find(key.cka_id).empty());
}

TEST_F(ControlTest, AHangingCallHoldsNeitherItsCallerNorMacsNorTheNextKey) {
  const MacKey key = Generate();
  FaultList::Arm({.function = "C_GenerateKey", .hang = true});
  const CkaId hanging = RandomId();
  const SteadyTime started = std::chrono::steady_clock::now();
  EXPECT_THAT(GenerateWithin(hanging, milliseconds(100)),
              Raises(Exception::kDependencyTimeoutException));
  EXPECT_LT(std::chrono::steady_clock::now() - started, milliseconds(5'000));
  EXPECT_THAT(Mac(key), IsOk());
  EXPECT_THAT(GenerateWithin(RandomId(), kLong), IsOk());
  // Nobody knows yet what there will be to destroy.
  EXPECT_THAT(hsm_->DestroyKey(hanging, In(milliseconds(50))),
              Raises(Exception::kDependencyTimeoutException));
  FaultList::Disarm();
  EXPECT_THAT(hsm_->DestroyKey(hanging, In(kLong)), IsOk());
  EXPECT_TRUE(TestSession(token_).Find(hanging).empty());
}

TEST_F(ControlTest, WaitsNoLongerThanTheDeadlineWhenEveryControlCallHangs) {
  FaultList::Arm({.function = "C_GenerateKey", .times = 2, .hang = true});
  EXPECT_FALSE(GenerateWithin(RandomId(), milliseconds(50)).has_value());
  EXPECT_FALSE(GenerateWithin(RandomId(), milliseconds(50)).has_value());
  ASSERT_TRUE(FaultList::WaitForHanging(2, kLong));
  FaultList::ResetCalls();
  const Result<GeneratedKey> refused = GenerateWithin(RandomId(), milliseconds(50));
  ASSERT_THAT(refused, Raises(Exception::kDependencyTimeoutException));
  EXPECT_THAT(refused.error().detail, HasSubstr("have not come back"));
  EXPECT_EQ(FaultList::Calls("C_GenerateKey"), 0u);
  FaultList::Disarm();
  EXPECT_THAT(GenerateWithin(RandomId(), kLong), IsOk());
}

TEST_F(ControlTest, EndsAlthoughAKeyIsStillBeingMade) {
  hsm_.reset();
  FaultList::ResetCalls();
  Reopen({});
  FaultList::Arm({.function = "C_GenerateKey", .hang = true});
  EXPECT_FALSE(GenerateWithin(RandomId(), milliseconds(50)).has_value());
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  hsm_.reset();
  FaultList::Disarm();
  EXPECT_TRUE(WaitUntil(
      [] { return FaultList::Calls("C_CloseSession") == FaultList::Calls("C_OpenSession"); }));
}

TEST_F(ControlTest, AKeyMadeBesideAScanIsNotTrusted) {
  const MacKey other = Generate();
  ASSERT_THAT(Mac(other), IsOk());
  FaultList::Arm({.function = "C_GenerateKey", .hang = true});
  const CkaId id = RandomId();
  Result<GeneratedKey> made = Fail(Exception::kKMSInternalException);
  {
    const std::jthread maker([&] { made = GenerateWithin(id, kLong); });
    ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
    FaultList::Arm({.function = "C_SignInit", .rv = CKR_KEY_HANDLE_INVALID});
    EXPECT_THAT(Mac(other), IsOk());  // after a scan that cannot have seen the key
    FaultList::Disarm();
  }
  // A scan may follow a login, which may have given the new key's handle to another key: what was
  // read back by it proves nothing.
  ASSERT_THAT(made, Raises(Exception::kDependencyTimeoutException));
  EXPECT_THAT(made.error().detail, HasSubstr("numbered anew"));
  EXPECT_THAT(hsm_->DestroyKey(id, In(kLong)), IsOk());
  EXPECT_THAT(TestSession(token_).Find(id), ::testing::IsEmpty());
}

}  // namespace
}  // namespace hallmark::pkcs11
