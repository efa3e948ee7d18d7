// Many callers at one token: whose turn it is, and who asks too often.
#include "service/app/mac_rates.h"
#include "tests/service/app/operations_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace hallmark::app {
namespace {

class MacOverloadTest : public OperationsTest {
 protected:
  auto StartMacAs(const std::shared_ptr<const Principal>& caller, const std::string& key) {
    return StartAs<v1::GenerateMacResponse>(caller, Operation::kGenerateMac, MacRequest(key));
  }
  Status MacAs(const std::shared_ptr<const Principal>& caller, const std::string& key) {
    return StartMacAs(caller, key)->answer.get();
  }
  Status DryRun(const std::string& key) {
    v1::GenerateMacRequest request = MacRequest(key);
    request.set_dry_run(true);
    return Call<v1::GenerateMacResponse>(Operation::kGenerateMac, request);
  }
  Status Describe(const std::string& key) {
    v1::DescribeKeyRequest request;
    request.set_key_id(key);
    return Call<v1::DescribeKeyResponse>(Operation::kDescribeKey, request);
  }

  MacRates rates_;
};

TEST_F(MacOverloadTest, CallersAreServedInTurn) {
  const std::string key = CreateKey();
  ASSERT_THAT(Mac(key), IsOk());
  const auto other = AddCaller("Other");
  // The token's one place is taken while the others queue.
  FaultList::Arm({.function = "C_Sign", .delay = 500ms});
  FaultList::Arm({.function = "C_Sign", .times = 0, .delay = 50ms});
  const auto first = StartMac(key);
  std::vector<decltype(StartMac(key))> noisy;
  for (int i = 0; i < 6; ++i) noisy.push_back(StartMac(key));
  const auto quiet = StartMacAs(other, key);
  EXPECT_THAT(quiet->answer.get(), IsOk());
  EXPECT_EQ(noisy.back()->answer.wait_for(0s), std::future_status::timeout);
  FaultList::Disarm();
  EXPECT_THAT(first->answer.get(), IsOk());
  for (const auto& one : noisy) EXPECT_THAT(one->answer.get(), IsOk());
}

TEST_F(MacOverloadTest, APrincipalAboveItsRateIsToldWhenToComeBack) {
  rates_.Set({.per_principal = 1, .per_key = 0});
  engine_->mac_rates = &rates_;
  const std::string key = CreateKey();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::ResetCalls();
  const Status refused = Mac(key);
  ASSERT_THAT(refused, Raises(Exception::kThrottlingException));
  ASSERT_TRUE(refused.error().retry_after.has_value());
  EXPECT_LE(*refused.error().retry_after, 1000ms);
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0u);
  // Others have their own, and what does not ask the token for a MAC does not count.
  EXPECT_THAT(MacAs(AddCaller("Other"), key), IsOk());
  EXPECT_THAT(DryRun(key), Raises(Exception::kDryRunOperationException));
  EXPECT_THAT(Describe(key), IsOk());
  clock_.steady_ahead += 1'000;
  EXPECT_THAT(Mac(key), IsOk());
}

TEST_F(MacOverloadTest, AKeyAboveItsRateIsRefusedToThoseWhoMayUseItAlone) {
  rates_.Set({.per_principal = 0, .per_key = 1});
  engine_->mac_rates = &rates_;
  const std::string key = CreateKey();
  ASSERT_THAT(Mac(key), IsOk());
  EXPECT_THAT(MacAs(AddCaller("Other"), key), Raises(Exception::kThrottlingException));
  EXPECT_THAT(MacAs(AddCaller("Stranger", ""), key), Raises(Exception::kAccessDeniedException));
  EXPECT_THAT(Mac(CreateKey()), IsOk());
}

}  // namespace
}  // namespace hallmark::app
