// What principals may do and what limits them, on a real store.
#include "service/app/principal_loading.h"
#include "tests/service/app/principal_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace hallmark::app {
namespace {

using hallmark::testing::RaisesWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kMacsOnly =
    R"({"Version":"2012-10-17","Statement":{"Sid":"MacsOnly","Effect":"Allow",)"
    R"("Action":"kms:GenerateMac","Resource":"*"}})";
constexpr const char* kRole = "arn:aws:iam::111122223333:role/path/Service";
constexpr const char* kSession = "arn:aws:sts::111122223333:assumed-role/Service/s";

class PrincipalPoliciesTest : public PrincipalTest {
 protected:
  Status Attach(const std::string& arn, const std::string& policy, bool boundary = false) {
    v1::AttachPolicyRequest request;
    request.set_arn(arn);
    request.set_policy(policy);
    request.set_permissions_boundary(boundary);
    v1::AttachPolicyResponse response;
    return AttachPolicy(*admin_, request, &response);
  }
  Status Detach(const std::string& arn, bool boundary = false) {
    v1::DetachPolicyRequest request;
    request.set_arn(arn);
    request.set_permissions_boundary(boundary);
    v1::DetachPolicyResponse response;
    return DetachPolicy(*admin_, request, &response);
  }
  v1::Principal Shown(const std::string& arn) {
    v1::GetPrincipalRequest request;
    request.set_arn(arn);
    v1::GetPrincipalResponse response;
    EXPECT_THAT(GetPrincipal(*admin_, request, &response), IsOk());
    return response.principal();
  }
  void AddRoleWithSession() {
    Add("iam::111122223333:role/path/Service", 'b');
    Add("sts::111122223333:assumed-role/Service/s", 'c');
  }
  std::shared_ptr<const Principal> Find(const std::string& arn) const {
    return principals_.FindByArn(arn);
  }
  // The Sid of the policy's one statement, "statement 1" if it has none; "-" without a policy.
  static std::string SidOf(const std::shared_ptr<const Policy>& policy) {
    if (policy == nullptr) return "-";
    return policy->statements().front().id;
  }
  // Who is there after a restart.
  std::shared_ptr<const Principal> Reloaded(const std::string& arn) {
    PrincipalDirectory directory;
    const auto image = store_->Load();
    EXPECT_THAT(image, IsOk());
    EXPECT_THAT(LoadPrincipals(*image, directory), IsOk());
    return directory.FindByArn(arn);
  }
};

TEST_F(PrincipalPoliciesTest, AnAttachedPolicyReplacesTheOldOneAtOnceAndForGood) {
  AddAlice();
  const auto before = Find(kAlice);
  ASSERT_THAT(Attach(kAlice, kMacsOnly), IsOk());
  EXPECT_EQ(SidOf(Find(kAlice)->policy), "MacsOnly");
  EXPECT_EQ(Shown(kAlice).policy(), kMacsOnly);
  EXPECT_EQ(SidOf(Reloaded(kAlice)->policy), "MacsOnly");
  // A decision that is under way is made by what it began with.
  EXPECT_EQ(SidOf(before->policy), "statement 1");
}

TEST_F(PrincipalPoliciesTest, ADetachedPolicyIsGoneAtOnceAndForGood) {
  AddAlice();
  ASSERT_THAT(Detach(kAlice), IsOk());
  EXPECT_EQ(Find(kAlice)->policy, nullptr);
  EXPECT_FALSE(Shown(kAlice).has_policy());
  EXPECT_EQ(Reloaded(kAlice)->policy, nullptr);
  EXPECT_THAT(Detach(kAlice),
              RaisesWith(Exception::kNotFoundException,
                         "Principal '" + std::string(kAlice) + "' has no policy of its own"));
}

TEST_F(PrincipalPoliciesTest, ABoundaryIsApartFromThePolicy) {
  AddAlice();
  ASSERT_THAT(Attach(kAlice, kMacsOnly, true), IsOk());
  EXPECT_EQ(SidOf(Find(kAlice)->policy), "statement 1");
  EXPECT_EQ(SidOf(Find(kAlice)->boundary), "MacsOnly");
  EXPECT_EQ(Shown(kAlice).policy(), kPolicy);
  EXPECT_EQ(Shown(kAlice).permissions_boundary(), kMacsOnly);
  EXPECT_EQ(SidOf(Reloaded(kAlice)->boundary), "MacsOnly");

  ASSERT_THAT(Detach(kAlice, true), IsOk());
  EXPECT_EQ(Find(kAlice)->boundary, nullptr);
  EXPECT_NE(Find(kAlice)->policy, nullptr);
  EXPECT_FALSE(Shown(kAlice).has_permissions_boundary());
  EXPECT_EQ(Reloaded(kAlice)->boundary, nullptr);
  EXPECT_THAT(Detach(kAlice, true),
              RaisesWith(Exception::kNotFoundException,
                         "Principal '" + std::string(kAlice) + "' has no permissions boundary"));
}

TEST_F(PrincipalPoliciesTest, APolicyThatIsNotUnderstoodIsRefusedWithThePlaceAndChangesNothing) {
  AddAlice();
  const std::size_t policies = store_->Load()->policies.size();
  const Status refused =
      Attach(kAlice, R"({"Version":"2012-10-17","Statement":[{"Effect":"Perhaps","Action":"kms:*",)"
                     R"("Resource":"*"}]})");
  ASSERT_THAT(refused, Raises(Exception::kMalformedPolicyDocumentException));
  EXPECT_THAT(refused.error().message, HasSubstr("statement 1"));
  EXPECT_EQ(Shown(kAlice).policy(), kPolicy);
  EXPECT_EQ(store_->Load()->policies.size(), policies);
}

TEST_F(PrincipalPoliciesTest, WhatARoleGetsItsSessionsGet) {
  AddRoleWithSession();
  ASSERT_THAT(Attach(kRole, kPolicy), IsOk());
  ASSERT_THAT(Attach(kRole, kMacsOnly, true), IsOk());
  EXPECT_EQ(SidOf(Find(kSession)->policy), "statement 1");
  EXPECT_EQ(SidOf(Find(kSession)->boundary), "MacsOnly");
  // They are the role's: the session has no document of its own.
  EXPECT_EQ(Find(kSession)->session_policy, nullptr);
  EXPECT_FALSE(Shown(kSession).has_policy());
  EXPECT_FALSE(Shown(kSession).has_permissions_boundary());
  EXPECT_EQ(Shown(kSession).role_arn(), kRole);
  EXPECT_FALSE(Shown(kRole).has_role_arn());
  EXPECT_EQ(SidOf(Reloaded(kSession)->boundary), "MacsOnly");

  ASSERT_THAT(Detach(kRole), IsOk());
  EXPECT_EQ(Find(kSession)->policy, nullptr);
  EXPECT_EQ(SidOf(Find(kSession)->boundary), "MacsOnly");
}

TEST_F(PrincipalPoliciesTest, ThePolicyOfASessionIsItsSessionPolicy) {
  AddRoleWithSession();
  ASSERT_THAT(Attach(kRole, kPolicy), IsOk());
  ASSERT_THAT(Attach(kSession, kMacsOnly), IsOk());
  for (const auto& session : {Find(kSession), Reloaded(kSession)}) {
    EXPECT_EQ(SidOf(session->policy), "statement 1");
    EXPECT_EQ(SidOf(session->session_policy), "MacsOnly");
  }
  // It stays when the role's changes.
  ASSERT_THAT(Attach(kRole, kMacsOnly), IsOk());
  EXPECT_EQ(SidOf(Find(kSession)->session_policy), "MacsOnly");
  ASSERT_THAT(Detach(kSession), IsOk());
  EXPECT_EQ(Find(kSession)->session_policy, nullptr);
  EXPECT_EQ(SidOf(Find(kSession)->policy), "MacsOnly");
}

TEST_F(PrincipalPoliciesTest, ASessionHasNoBoundaryOfItsOwn) {
  AddRoleWithSession();
  for (const Status& refused : {Attach(kSession, kPolicy, true), Detach(kSession, true)}) {
    ASSERT_THAT(refused, Raises(Exception::kValidationException));
    EXPECT_THAT(refused.error().message, HasSubstr(kRole));
  }
  EXPECT_THAT(store_->Load()->policies, IsEmpty());
}

TEST_F(PrincipalPoliciesTest, ARootIsAPrincipalLikeAnyOther) {
  constexpr const char* kRoot = "arn:aws:iam::111122223333:root";
  Add("iam::111122223333:root", 'd');
  ASSERT_THAT(Attach(kRoot, kPolicy), IsOk());
  ASSERT_THAT(Attach(kRoot, kMacsOnly, true), IsOk());
  EXPECT_NE(Find(kRoot)->policy, nullptr);
  EXPECT_EQ(SidOf(Find(kRoot)->boundary), "MacsOnly");
}

TEST_F(PrincipalPoliciesTest, NobodyHasNoPolicies) {
  EXPECT_THAT(Attach(kAlice, kPolicy), Raises(Exception::kNotFoundException));
  EXPECT_THAT(Detach(kAlice), Raises(Exception::kNotFoundException));
  EXPECT_THAT(store_->Load()->policies, IsEmpty());
}

TEST_F(PrincipalPoliciesTest, OfTwoChangesAtOnceOneIsToldToRepeat) {
  AddAlice();
  const auto before = Find(kAlice);
  ASSERT_THAT(Attach(kAlice, kMacsOnly), IsOk());
  principals_.Publish(before);  // what the slower of the two has read
  EXPECT_THAT(Attach(kAlice, kPolicy, true), Raises(Exception::kConflictException));
  EXPECT_THAT(Detach(kAlice), Raises(Exception::kConflictException));
  EXPECT_EQ(SidOf(Reloaded(kAlice)->policy), "MacsOnly");
}

// Otherwise the session that was read before would bring the role's old policy back.
TEST_F(PrincipalPoliciesTest, OfAChangeOfARoleAndOneOfItsSessionAtOnceOneIsToldToRepeat) {
  AddRoleWithSession();
  ASSERT_THAT(Attach(kRole, kPolicy), IsOk());
  const auto before = Find(kSession);
  ASSERT_THAT(Detach(kRole), IsOk());
  principals_.Publish(before);
  EXPECT_THAT(Attach(kSession, kMacsOnly), Raises(Exception::kConflictException));
  v1::RotatePrincipalRequest rotate;
  rotate.set_arn(kSession);
  rotate.set_certificate_fingerprint(Fingerprint('d'));
  v1::RotatePrincipalResponse rotated;
  EXPECT_THAT(RotatePrincipal(*admin_, rotate, &rotated), Raises(Exception::kConflictException));
}

TEST_F(PrincipalPoliciesTest, RotationKeepsPoliciesAndTheRoleOfASession) {
  AddRoleWithSession();
  ASSERT_THAT(Attach(kRole, kPolicy), IsOk());
  v1::RotatePrincipalRequest rotate;
  rotate.set_certificate_fingerprint(Fingerprint('d'));
  v1::RotatePrincipalResponse rotated;
  rotate.set_arn(kSession);
  ASSERT_THAT(RotatePrincipal(*admin_, rotate, &rotated), IsOk());
  EXPECT_NE(Find(kSession)->policy, nullptr);
  // And a change of the role still reaches it.
  ASSERT_THAT(Detach(kRole), IsOk());
  EXPECT_EQ(Find(kSession)->policy, nullptr);
}

TEST_F(PrincipalPoliciesTest, AStoreWhosePolicyIsMissingIsNotLoaded) {
  AddAlice();
  auto image = store_->Load();
  ASSERT_THAT(image, IsOk());
  image->policies.clear();
  PrincipalDirectory directory;
  EXPECT_THAT(LoadPrincipals(*image, directory), Raises(Exception::kKMSInternalException));
}

}  // namespace
}  // namespace hallmark::app
