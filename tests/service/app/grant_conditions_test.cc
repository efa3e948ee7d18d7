// What policies judge of a CreateGrant.
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

}  // namespace
}  // namespace hallmark::app
