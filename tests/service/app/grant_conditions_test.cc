// What policies judge of a CreateGrant.
#include "tests/keystate/grants/test_grants.h"
#include "tests/service/app/operations_fixture.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark::app {
namespace {

class GrantConditionsTest : public OperationsTest {
 protected:
  GrantConditionsTest() {
    AddCaller("Mallory", "");
    caller_ = AddCaller("Granter", R"({"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"kms:*","Resource":"*"},
        {"Effect":"Deny","Action":"kms:CreateGrant","Resource":"*","Condition":{"StringEquals":{
          "kms:GranteePrincipal":"arn:aws:iam::111122223333:user/Mallory"}}},
        {"Effect":"Deny","Action":"kms:CreateGrant","Resource":"*","Condition":{"StringEquals":{
          "kms:RetiringPrincipal":"arn:aws:iam::111122223333:user/Mallory"}}},
        {"Effect":"Deny","Action":"kms:CreateGrant","Resource":"*","Condition":{"StringEquals":{
          "kms:GranteePrincipal":"nobody"}}}]})");
  }

  Status CreateGrant(const std::string& grantee, const std::string& retiring = "") {
    v1::CreateGrantRequest request;
    request.set_key_id(key_);
    request.set_grantee_principal(grantee);
    if (!retiring.empty()) request.set_retiring_principal(retiring);
    request.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
    return Call<v1::CreateGrantResponse>(Operation::kCreateGrant, request);
  }

  const std::string key_ = CreateKey();
};

TEST_F(GrantConditionsTest, NoSpellingOfAPrincipalGetsRoundADeny) {
  for (const char* const mallory : {"arn:aws:iam::111122223333:user/Mallory", "Mallory"}) {
    EXPECT_THAT(CreateGrant(mallory), Raises(Exception::kAccessDeniedException)) << mallory;
    EXPECT_THAT(CreateGrant("Granter", mallory), Raises(Exception::kAccessDeniedException))
        << mallory;
  }
  EXPECT_THAT(CreateGrant("Granter", "Granter"), IsOk());
}

TEST_F(GrantConditionsTest, APrincipalThatDoesNotExistIsJudgedAsItWasSent) {
  EXPECT_THAT(CreateGrant("nobody"), Raises(Exception::kAccessDeniedException));
  EXPECT_THAT(CreateGrant("nobody-else"), Raises(Exception::kInvalidArnException));
}

// Of two grants that let a foreign caller make this one, the key's owner made one, which needs the
// consent of the caller's own account, and its own account the other, which has it.
TEST_F(GrantConditionsTest, AbroadAnyParentCounts) {
  AddCaller("Dave", "", "444455556666");
  const AccountId abroad = *AccountId::Parse("444455556666");
  caller_ = AddCaller("Carol", "", "444455556666");
  for (const unsigned owners : {1U, 2U}) {
    const auto parents = [&](bool with_own) {
      const auto parent = [](unsigned number) {
        return testing::TestGrant(number, "Carol",
                                  {Operation::kCreateGrant, Operation::kGenerateMac});
      };
      GrantRecord own = parent(3 - owners);
      own.issuing_account = abroad;
      return with_own ? testing::GrantsOf({parent(owners), own})
                      : testing::GrantsOf({parent(owners)});
    };
    v1::CreateGrantRequest request;
    request.set_key_id(keys_.Find(*KeyId::Parse(key_))->arn);
    request.set_grantee_principal("arn:aws:iam::444455556666:user/Dave");
    request.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
    request.set_dry_run(true);
    for (const bool with_own : {false, true}) {
      Change(key_, [&](KeyView& view) { view.grants = parents(with_own); });
      EXPECT_THAT(Call<v1::CreateGrantResponse>(Operation::kCreateGrant, request),
                  Raises(with_own ? Exception::kDryRunOperationException
                                  : Exception::kAccessDeniedException));
    }
  }
}

}  // namespace
}  // namespace hallmark::app
