// What Explain tells.
#include "tests/service/app/explain_fixture.h"

#include <gmock/gmock.h>

#include <functional>
#include <string>
#include <vector>

namespace hallmark::app {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(ExplainTest, ADeniedCallNamesTheConditionWithTheValuesCompared) {
  caller_ = AddCaller("Alice", Document(R"(
      {"Sid":"Ask","Effect":"Allow","Action":"hallmark:Explain","Resource":"*"},
      {"Sid":"Office","Effect":"Allow","Action":"kms:GenerateMac","Resource":"*","Condition":{
        "IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]},
        "StringEquals":{"kms:MacAlgorithm":"HMAC_SHA_256"}}})"));
  v1::ExplainRequest request = About(Operation::kGenerateMac, key_);
  Give(request, "aws:SourceIp", "198.51.100.7");
  const v1::ExplainResponse response = Explained(request);
  EXPECT_EQ(response.decision(), v1::ACCESS_DECISION_DENIED);
  EXPECT_EQ(response.refusal_text(),
            "User: arn:aws:iam::111122223333:user/Alice is not authorized to perform: "
            "kms:GenerateMac on resource: " +
                ArnOf(key_) +
                " because no identity-based policy allows the kms:GenerateMac action");
  const v1::ExplainDetails& details = response.details();
  EXPECT_FALSE(details.has_decided_by());
  ASSERT_EQ(details.policies_size(), 2);
  EXPECT_EQ(details.policies(0).type(), v1::POLICY_TYPE_KEY_POLICY);
  EXPECT_EQ(details.policies(0).statements(0).means_principal(), v1::MEANS_PRINCIPAL_BY_ACCOUNT);
  ASSERT_EQ(details.policies(1).type(), v1::POLICY_TYPE_IDENTITY_POLICY);
  const v1::ExplainedStatement& office = details.policies(1).statements(1);
  EXPECT_EQ(office.statement(), "Office");
  EXPECT_FALSE(office.matches());
  ASSERT_EQ(office.conditions_size(), 2);
  EXPECT_EQ(office.conditions(0).key(), "aws:SourceIp");
  EXPECT_EQ(office.conditions(0).result(), v1::CONDITION_RESULT_NOT_MET);
  EXPECT_THAT(office.conditions(0).policy_values(), ElementsAre("10.0.0.0/8", "192.0.2.0/24"));
  EXPECT_THAT(office.conditions(0).request_values(), ElementsAre("198.51.100.7"));
  EXPECT_EQ(office.conditions(1).result(), v1::CONDITION_RESULT_MET)
      << "the key's own algorithm where none is given";
  EXPECT_THAT(details.changes(),
              Contains("Statement \"Office\" of the identity policy would allow it, but its "
                       "condition is not met: IpAddress of aws:SourceIp with \"10.0.0.0/8\", "
                       "\"192.0.2.0/24\": the request has \"198.51.100.7\"."));

  Give(request, "kms:MacAlgorithm", "HMAC_SHA_256");
  request.mutable_context(0)->set_value("192.0.2.7");
  const v1::ExplainResponse allowed = Explained(request);
  EXPECT_EQ(allowed.decision(), v1::ACCESS_DECISION_ALLOWED);
  EXPECT_FALSE(allowed.has_refusal());
  EXPECT_EQ(allowed.details().decided_by().name(), "Office");
  EXPECT_EQ(allowed.details().decided_by().effect(), v1::STATEMENT_EFFECT_ALLOW);
  EXPECT_EQ(allowed.details().changes_size(), 0);
}

TEST_F(ExplainTest, TheKeysOwnVerdictComesWithWhatHelps) {
  caller_ = AddCaller("Explainer", kExplainer);
  struct Row {
    KeyState state;
    const char* refusal;
    const char* helps;
  };
  for (const Row& row :
       {Row{KeyState::kDisabled, "DisabledException", "EnableKey"},
        Row{KeyState::kPendingDeletion, "KMSInvalidStateException", "CancelKeyDeletion"}}) {
    SetState(row.state);
    const v1::ExplainResponse response = Explained(About(Operation::kGenerateMac, key_));
    EXPECT_EQ(response.decision(), v1::ACCESS_DECISION_ALLOWED);
    EXPECT_EQ(response.refusal(), row.refusal);
    EXPECT_EQ(response.details().key_state().refusal(), row.refusal);
    EXPECT_EQ(response.details().key_state().state(), hallmark::Name(row.state));
    ASSERT_EQ(response.details().changes_size(), 1);
    EXPECT_THAT(response.details().changes(0), HasSubstr(row.helps));
  }
  SetState(KeyState::kEnabled);
  v1::ExplainRequest request = About(Operation::kVerifyMac, key_);
  Give(request, "kms:MacAlgorithm", "HMAC_SHA_512");
  EXPECT_EQ(Explained(request).refusal_text(),
            "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.");
}

TEST_F(ExplainTest, AGrantDecidesAndGrantsThatDoNotHelpSayWhy) {
  const auto alice = AddCaller("Alice", "");
  const std::string helps = Grant(alice->record.arn.text(), {v1::GRANT_OPERATION_VERIFY_MAC});
  const std::string does_not = Grant(alice->record.arn.text(), {v1::GRANT_OPERATION_GENERATE_MAC});
  v1::ExplainRequest request = About(Operation::kVerifyMac, key_);
  request.set_principal(alice->record.arn.text());
  const v1::ExplainResponse response = ExplainedToOperator(request);
  EXPECT_EQ(response.decision(), v1::ACCESS_DECISION_ALLOWED);
  EXPECT_EQ(response.details().decided_by().type(), v1::POLICY_TYPE_GRANT);
  EXPECT_EQ(response.details().decided_by().name(), helps);
  ASSERT_EQ(response.details().grants_size(), 2);
  for (const v1::ExplainedGrant& grant : response.details().grants()) {
    EXPECT_EQ(grant.matches(), grant.grant_id() == helps);
    EXPECT_EQ(grant.mismatch(), grant.grant_id() == does_not ? "it does not allow VerifyMac" : "");
  }
}

TEST_F(ExplainTest, AConstrainedGrantIsNoParentOfOneWithoutTheConstraint) {
  const std::string source = "arn:aws:sns:us-west-2:111122223333:topic";
  const auto alice = AddCaller("Alice", "");
  v1::CreateGrantRequest constrained;
  constrained.set_key_id(key_);
  constrained.set_grantee_principal(alice->record.arn.text());
  constrained.add_operations(v1::GRANT_OPERATION_CREATE_GRANT);
  constrained.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
  constrained.mutable_constraints()->set_source_arn(source);
  ASSERT_THAT(Call<v1::CreateGrantResponse>(Operation::kCreateGrant, constrained), IsOk());
  for (const bool creates : {false, true}) {
    v1::ExplainRequest request =
        About(creates ? Operation::kCreateGrant : Operation::kGenerateMac, key_);
    request.set_principal(alice->record.arn.text());
    Give(request, "aws:SourceArn", source);
    const v1::ExplainResponse response = ExplainedToOperator(request);
    EXPECT_EQ(response.decision(),
              creates ? v1::ACCESS_DECISION_DENIED : v1::ACCESS_DECISION_ALLOWED);
    ASSERT_EQ(response.details().grants_size(), 1);
    EXPECT_EQ(response.details().grants(0).matches(), !creates);
    EXPECT_EQ(response.details().grants(0).mismatch(),
              creates ? "it counts only in calls with aws:SourceArn " + source +
                            ", and for grants with this constraint"
                      : "");
  }
}

TEST_F(ExplainTest, ARequestThatMakesNoSenseIsRefusedWithTheReason) {
  caller_ = AddCaller("Explainer", kExplainer);
  struct Row {
    std::function<void(v1::ExplainRequest&)> fill;
    const char* message;
  };
  const Row rows[] = {
      {[](auto& r) { r.set_operation("Fly"); },
       "There is no operation 'Fly'. Operations have KMS's names: GenerateMac, or "
       "kms:GenerateMac."},
      {[](auto& r) { r.set_operation("ReplicateKey"); },
       "There is no operation 'ReplicateKey'. Operations have KMS's names: GenerateMac, or "
       "kms:GenerateMac."},
      {[](auto& r) { r.set_operation("kms:GenerateMac"); },
       "kms:GenerateMac is about a key: KeyId must be given."},
      {[this](auto& r) {
         r.set_operation("ListKeys");
         r.set_key_id(key_);
       },
       "kms:ListKeys is not bound to a key: KeyId must be absent."},
      {[this](auto& r) {
         r.set_operation("RetireGrant");
         r.set_key_id(key_);
       },
       "kms:RetireGrant is explained for one grant: GrantId must be given."},
      {[](auto& r) {
         r.set_operation("ListKeys");
         r.set_alias_name("alias/a");
       },
       "kms:ListKeys is not about an alias: AliasName must be absent."},
  };
  for (const Row& row : rows) {
    v1::ExplainRequest request;
    row.fill(request);
    EXPECT_THAT(Asked(request), RaisesWith(Exception::kValidationException, row.message));
  }
  v1::ExplainRequest nobody = About(Operation::kListKeys, "");
  nobody.set_principal("arn:aws:iam::111122223333:user/Nobody");
  EXPECT_THAT(Asked(nobody),
              RaisesWith(Exception::kNotFoundException,
                         "Principal 'arn:aws:iam::111122223333:user/Nobody' does not exist"));
  v1::ExplainResponse response;
  EXPECT_THAT(ExplainForOperator(*engine_, About(Operation::kListKeys, ""), &response),
              RaisesWith(Exception::kValidationException, "Principal must be given."));
}

TEST_F(ExplainTest, ExplainIsExplainedToo) {
  caller_ = AddCaller("Alice", "");
  const v1::ExplainResponse response = Explained(About(Operation::kExplain, key_));
  EXPECT_EQ(response.decision(), v1::ACCESS_DECISION_DENIED);
  EXPECT_THAT(response.refusal_text(), HasSubstr("perform: hallmark:Explain on resource: "));
  caller_ = AddCaller("Explainer", kExplainer);
  EXPECT_EQ(Explained(About(Operation::kExplain, "")).decision(), v1::ACCESS_DECISION_ALLOWED);
}

}  // namespace
}  // namespace hallmark::app
