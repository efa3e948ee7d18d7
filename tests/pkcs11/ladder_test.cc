// The upper steps of the ladder: errors of the device, modules that are initialised again, several
// tokens of one module.
#include "tests/pkcs11/load.h"
#include "tests/pkcs11/opened_token.h"

#include <atomic>
#include <thread>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class LadderTest : public OpenedTokenTest {
 protected:
  // The module does nothing more for its sessions, as after the end of what served them. SoftHSM
  // does not survive this while it is called.
  static void EndModule() { SoftHsmToken::functions().C_Finalize(nullptr); }
};

TEST_F(LadderTest, ADeviceErrorIsMendedWhileTheCallerWaits) {
  const MacKey key = Generate();
  const Result<MacTag> before = Mac(key);
  ASSERT_THAT(before, IsOk());
  FaultList::ResetCalls();
  for (const CK_RV rv : {CKR_DEVICE_ERROR, CKR_GENERAL_ERROR, CKR_TOKEN_NOT_PRESENT}) {
    FaultList::Arm({.function = "C_Sign", .rv = rv});
    const Result<MacTag> after = Mac(key);
    ASSERT_THAT(after, IsOk());
    EXPECT_EQ(ToHex(before->bytes()), ToHex(after->bytes()));
  }
  // A new session was enough.
  EXPECT_EQ(FaultList::Calls("C_Finalize"), 0u);
  EXPECT_EQ(hsm_->recoveries().repairs, 3u);
  EXPECT_EQ(hsm_->recoveries().outages, 0u);
  EXPECT_TRUE(
      WaitUntil([this] { return events_.Count(Severity::kWarning, "was brought back") == 3; }));
}

TEST_F(LadderTest, AModuleThatLostItselfIsInitialisedAgain) {
  const MacKey key = Generate();
  const Result<MacTag> before = Mac(key);
  ASSERT_THAT(before, IsOk());
  for (std::uint64_t round = 1; round <= 3; ++round) {
    EndModule();
    const Result<MacTag> after = Mac(key);
    ASSERT_THAT(after, IsOk());
    EXPECT_EQ(ToHex(before->bytes()), ToHex(after->bytes()));
    EXPECT_EQ(hsm_->recoveries().reinitialisations, round);
  }
  EXPECT_THAT(hsm_->GenerateKey(RandomId(), KeySpec::kHmac256, In(kLong)), IsOk());
  EXPECT_EQ(hsm_->recoveries().outages, 0u);
}

TEST_F(LadderTest, AKeyIsMadeAlthoughTheModuleLostItself) {
  EndModule();
  EXPECT_THAT(hsm_->GenerateKey(RandomId(), KeySpec::kHmac256, In(kLong)), IsOk());
  EXPECT_EQ(hsm_->recoveries().reinitialisations, 1u);
}

TEST_F(LadderTest, CallsUnderLoadSurviveTheEndOfTheModule) {
  Reopen([](TokenOptions& options) { options.sessions = 4; });
  const MacKey key = Generate();
  const Result<MacTag> expected = Mac(key);
  ASSERT_THAT(expected, IsOk());
  {
    Load load(*hsm_, key, ToHex(expected->bytes()));
    for (std::uint64_t round = 1; round <= 5; ++round) {
      // A call fails, and so does the first attempt to find the token.
      FaultList::Arm({.function = "C_GetSlotList", .rv = CKR_DEVICE_ERROR});
      FaultList::Arm({.function = "C_Sign", .rv = CKR_DEVICE_ERROR});
      ASSERT_TRUE(WaitUntil([&] { return hsm_->recoveries().reinitialisations == round; }))
          << hsm_->recoveries().reinitialisations << " in round " << round << load.last_refusal();
      ASSERT_TRUE(load.Advance(5));
    }
    EXPECT_EQ(load.wrong, 0);
    EXPECT_EQ(load.refused, 0) << load.last_refusal();
  }
  EXPECT_EQ(hsm_->recoveries().outages, 0u);
}

TEST_F(LadderTest, AnotherTokenOfTheModuleGoesOnServing) {
  const SoftHsmToken other_token;
  const Result<TokenRecord, OpenError> anchor = InitToken(other_token.options(), random_);
  ASSERT_TRUE(anchor.has_value()) << anchor.error().message;
  EventLog other_events;
  Result<OpenToken, OpenError> other =
      Open(other_token.options(), *anchor, random_, other_events.sink());
  ASSERT_TRUE(other.has_value()) << other.error().message;
  const CkaId other_id = RandomId();
  const Result<GeneratedKey> made = other->hsm->GenerateKey(other_id, KeySpec::kHmac256, In(kLong));
  ASSERT_THAT(made, IsOk());
  const MacKey other_key{other_id, KeySpec::kHmac256, made->check_value};
  const auto other_mac = [&] {
    auto task = std::make_shared<WaitingTask>(other_key, "message", In(kLong));
    other->hsm->ComputeMac(task);
    return task->Wait();
  };
  const Result<MacTag> before = other_mac();
  ASSERT_THAT(before, IsOk());
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());

  std::atomic<int> failed{0};
  {
    const std::jthread caller([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const Result<MacTag> tag = other_mac();
        if (!tag.has_value() || ToHex(tag->bytes()) != ToHex(before->bytes())) ++failed;
      }
    });
    // A call of either token fails, and its first attempt at a new session: only initialising the
    // module again helps, which ends the sessions of the other token.
    FaultList::Arm({.function = "C_GetSlotList", .rv = CKR_DEVICE_ERROR});
    FaultList::Arm({.function = "C_Sign", .rv = CKR_DEVICE_ERROR});
    EXPECT_TRUE(WaitUntil([&] {
      EXPECT_THAT(Mac(key), IsOk());
      return hsm_->recoveries().reinitialisations + other->hsm->recoveries().reinitialisations > 0;
    }));
    EXPECT_TRUE(WaitUntil([&] { return hsm_->available() && other->hsm->available(); }));
    EXPECT_THAT(other_mac(), IsOk());
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(hsm_->recoveries().outages + other->hsm->recoveries().outages, 0u);
}

TEST_F(LadderTest, ATokenThatStaysOutDoesNotKeepDisturbingAnother) {
  const SoftHsmToken other_token;
  const Result<TokenRecord, OpenError> anchor = InitToken(other_token.options(), random_);
  ASSERT_TRUE(anchor.has_value()) << anchor.error().message;
  EventLog other_events;
  Result<OpenToken, OpenError> other =
      Open(other_token.options(), *anchor, random_, other_events.sink());
  ASSERT_TRUE(other.has_value()) << other.error().message;
  const MacKey key = Generate();
  static_cast<void>(token_.ReplacePin("wrong-pin"));  // a reason that no attempt can remove
  FaultList::ResetCalls();
  EndModule();
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  ASSERT_TRUE(WaitUntil([&] { return other->hsm->available() && !hsm_->available(); }));
  const std::size_t looks = FaultList::Calls("C_GetTokenInfo");
  ASSERT_TRUE(WaitUntil([&] { return FaultList::Calls("C_GetTokenInfo") > looks + 10; }));
  EXPECT_LE(FaultList::Calls("C_Finalize"), 2u);
  EXPECT_TRUE(other->hsm->available());
}

TEST_F(LadderTest, ATokenThatIsNotThereDisturbsNobody) {
  const MacKey key = Generate();
  TokenOptions absent = options_;
  absent.token_id = "absent";
  absent.uri = "pkcs11:token=none";
  FaultList::ResetCalls();
  for (int attempt = 0; attempt < 3; ++attempt) {
    const Result<OpenToken, OpenError> open = Open(absent, anchor_, random_, events_.sink());
    ASSERT_FALSE(open.has_value());
    EXPECT_EQ(open.error().failure, OpenFailure::kTokenAbsent);
  }
  EXPECT_EQ(FaultList::Calls("C_Finalize"), 0u);
  EXPECT_THAT(Mac(key), IsOk());
}

TEST_F(LadderTest, AKeyOverWhichTheTokenFailsIsLeftAlone) {
  const MacKey good = Generate();
  const MacKey bad = Generate();
  ASSERT_THAT(Mac(good), IsOk());
  ASSERT_THAT(Mac(bad), IsOk());
  // Of the calls of the bad key, its first fails, and after the repair, in which the anchor signs,
  // its proof.
  FaultList::Arm({.function = "C_Sign", .rv = CKR_DEVICE_ERROR});
  FaultList::Arm({.function = "C_Sign", .rv = CKR_DEVICE_ERROR, .skip = 1});
  EXPECT_THAT(Mac(bad), Raises(Exception::kKeyUnavailableException));
  EXPECT_TRUE(hsm_->available());
  FaultList::ResetCalls();
  const Result<MacTag> refused = Mac(bad);
  ASSERT_THAT(refused, Raises(Exception::kKeyUnavailableException));
  EXPECT_THAT(refused.error().detail, HasSubstr("left alone"));
  EXPECT_EQ(FaultList::Calls("C_Sign"), 0u);
  EXPECT_THAT(Mac(good), IsOk());
  EXPECT_TRUE(WaitUntil([&] { return Mac(bad).has_value(); }));
}

TEST_F(LadderTest, ARepairThatHangsHoldsCallersForTwoSeconds) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_GetSlotList", .hang = true});
  FaultList::Arm({.function = "C_Sign", .rv = CKR_DEVICE_ERROR});
  const SteadyTime started = std::chrono::steady_clock::now();
  const auto task = Start(key);
  EXPECT_THAT(task->Wait(), Raises(Exception::kKeyUnavailableException));
  EXPECT_LT(task->answered_at() - started, milliseconds(4'000));
  EXPECT_TRUE(WaitUntil([this] { return !hsm_->available(); }));
  FaultList::Disarm();
  EXPECT_TRUE(WaitUntil([this] { return hsm_->available(); }));
  EXPECT_THAT(Mac(key), IsOk());
}

TEST_F(LadderTest, LowersTheSessionBudgetWhenTheTokenHasNoRoom) {
  Reopen([](TokenOptions& options) { options.sessions = 4; });
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  const std::size_t budget = hsm_->session_budget();
  FaultList::Arm({.function = "C_SignInit", .rv = CKR_DEVICE_MEMORY});
  EXPECT_THAT(Mac(key), IsOk());
  EXPECT_LT(hsm_->session_budget(), budget);
  EXPECT_EQ(hsm_->recoveries().repairs, 0u);
}

}  // namespace
}  // namespace hallmark::pkcs11
