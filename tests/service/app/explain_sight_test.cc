// Nobody learns from Explain what is not its own.
#include "tests/service/app/explain_fixture.h"

#include <gmock/gmock.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Without hallmark:Explain.
class UnprivilegedTest : public ExplainTest {
 protected:
  UnprivilegedTest() {
    SetState(KeyState::kDisabled);
    caller_ = AddCaller("Alice", Document(R"({"Effect":"Allow","Action":"kms:GenerateMac",
        "Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}})"));
  }
};

TEST_F(UnprivilegedTest, ACallerLearnsTheRefusalAndNoMore) {
  const v1::ExplainResponse response = Explained(About(Operation::kGenerateMac, key_));
  EXPECT_EQ(response.decision(), v1::ACCESS_DECISION_DENIED);
  EXPECT_EQ(response.refusal(), "AccessDeniedException");
  EXPECT_FALSE(response.has_details());
  EXPECT_THAT(response.refusal_text(), ::testing::Not(HasSubstr("disabled")));
}

TEST_F(UnprivilegedTest, ACallerAsksForItselfAsItIs) {
  const std::string refusal =
      "User: arn:aws:iam::111122223333:user/Alice is not authorized to perform: hallmark:Explain "
      "on resource: " +
      ArnOf(key_) + " because no identity-based policy allows the hallmark:Explain action";
  v1::ExplainRequest elsewhere = About(Operation::kGenerateMac, key_);
  Give(elsewhere, "aws:SourceIp", "10.0.0.1");
  EXPECT_THAT(Asked(elsewhere), RaisesWith(Exception::kAccessDeniedException, refusal));
  v1::ExplainRequest other_key = About(Operation::kGenerateMac, key_);
  Give(other_key, "aws:ResourceTag/team", "red");
  EXPECT_THAT(Asked(other_key), RaisesWith(Exception::kAccessDeniedException, refusal));
  for (const char* const somebody : {"Admin", "Nobody"}) {
    v1::ExplainRequest other = About(Operation::kGenerateMac, key_);
    other.set_principal(std::string("arn:aws:iam::111122223333:user/") + somebody);
    EXPECT_THAT(Asked(other), RaisesWith(Exception::kAccessDeniedException, refusal)) << somebody;
  }
  v1::ExplainRequest request = About(Operation::kGenerateMac, key_);
  Give(request, "kms:MacAlgorithm", "HMAC_SHA_512");
  request.set_principal("arn:aws:iam::111122223333:user/Alice");
  EXPECT_FALSE(Explained(request).has_details()) << "what its call could say itself is its own";
}

// Accounts do not see each other's policies, nor whether a key exists.
class AcrossAccountsTest : public ExplainTest {
 protected:
  static constexpr const char* kForeignKey = "arn:aws:kms:us-west-2:111122223333:key/";

  const std::shared_ptr<const Principal> bob_ = AddCaller(
      "Bob",
      Document(R"({"Sid":"Mine","Effect":"Allow","Action":["kms:*","hallmark:*"],"Resource":"*"},
          {"Sid":"Spec","Effect":"Deny","Action":"kms:DescribeKey","Resource":"*","Condition":{
            "StringEquals":{"kms:KeySpec":"HMAC_256"}}})"),
      "444455556666");
};

TEST_F(AcrossAccountsTest, AForeignKeyThatGivesNothingLooksLikeOneThatIsNotThere) {
  caller_ = bob_;
  const std::string there = ArnOf(key_);
  const std::string not_there = std::string(kForeignKey) + "00000000-0000-4000-8000-000000000000";
  for (const Operation operation :
       {Operation::kGenerateMac, Operation::kDescribeKey, Operation::kDisableKey}) {
    const auto said = [&](const std::string& key) {
      std::string text = Explained(About(operation, key)).ShortDebugString();
      for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key)) {
        text.replace(at, key.size(), "KEY");
      }
      return text;
    };
    EXPECT_EQ(said(there), said(not_there)) << Name(operation);
    EXPECT_THAT(said(there), HasSubstr("Mine"));
    EXPECT_THAT(said(there), ::testing::Not(HasSubstr("request_values: \"HMAC_256")));
  }
}

TEST_F(AcrossAccountsTest, AForeignKeyThatLetsOneInShowsNothingOfItself) {
  SetKeyPolicy(R"({"Sid":"Secret name","Effect":"Allow","Principal":{"AWS":"444455556666"},
                   "Action":"kms:*","Resource":"*"})");
  caller_ = bob_;
  const v1::ExplainResponse response = Explained(About(Operation::kGenerateMac, ArnOf(key_)));
  EXPECT_EQ(response.decision(), v1::ACCESS_DECISION_ALLOWED);
  const std::string said = response.ShortDebugString();
  EXPECT_THAT(said, ::testing::Not(HasSubstr("Secret name")));
  EXPECT_FALSE(response.details().has_key_state());
  EXPECT_FALSE(response.details().has_decided_by());
  ASSERT_EQ(response.details().policies_size(), 1);
  EXPECT_EQ(response.details().policies(0).type(), v1::POLICY_TYPE_IDENTITY_POLICY);
}

TEST_F(AcrossAccountsTest, NobodyTriesValuesOnTheConditionsOfAForeignKey) {
  SetKeyPolicy(R"({"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"kms:*",
                   "Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}})");
  const std::string there = ArnOf(key_);
  const std::string not_there = std::string(kForeignKey) + "00000000-0000-4000-8000-000000000000";
  caller_ = bob_;
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"aws:SourceIp", "10.0.0.1"},
           {"aws:CurrentTime", "2027-01-01T00:00:00Z"},
           {"aws:SourceArn", "arn:aws:sns:us-west-2:111122223333:topic"},
           {"aws:ResourceTag/team", "red"},
           {"kms:ResourceAliases", "alias/orders"},
           {"kms:RequestAlias", "alias/orders"}}) {
    for (const std::string& key_arn : {there, not_there}) {
      v1::ExplainRequest request = About(Operation::kGenerateMac, key_arn);
      Give(request, key, value);
      EXPECT_THAT(Asked(request),
                  RaisesWith(Exception::kValidationException,
                             "A call with a key of account 111122223333 is explained as it is: "
                             "Context can have only what its request would say."))
          << key;
    }
  }
  v1::ExplainRequest request = About(Operation::kGenerateMac, there);
  Give(request, "kms:MacAlgorithm", "HMAC_SHA_256");
  EXPECT_EQ(Explained(request).decision(), v1::ACCESS_DECISION_DENIED);
  Give(request, "aws:SourceIp", "10.0.0.1");
  request.set_principal(bob_->record.arn.text());
  EXPECT_EQ(ExplainedToOperator(request).decision(), v1::ACCESS_DECISION_ALLOWED);
}

TEST_F(AcrossAccountsTest, TheUserIdOfAForeignPrincipalCannotBeGuessed) {
  caller_ = AddCaller("Explainer", kExplainer);
  std::set<std::string> said;
  for (const std::string& guess : {bob_->record.unique_id, std::string("Nobody")}) {
    SetKeyPolicy(
        R"({"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:user/Bob"},
         "Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"AWS:UserID":")" +
        guess + R"("}}})");
    v1::ExplainRequest request = About(Operation::kDescribeKey, key_);
    request.set_principal(bob_->record.arn.text());
    const v1::ExplainResponse response = Explained(request);
    ASSERT_EQ(response.details().policies_size(), 1);
    const v1::ExplainedStatement& ours = response.details().policies(0).statements(1);
    EXPECT_THAT(ours.conditions(0).request_values(), IsEmpty());
    said.insert(std::string(v1::AccessDecision_Name(response.decision())) +
                response.refusal_text());
  }
  EXPECT_EQ(said.size(), 1U) << ::testing::PrintToString(said);
}

TEST_F(AcrossAccountsTest, OfAForeignPrincipalOnlyTheKeysSideCounts) {
  SetKeyPolicy(R"({"Sid":"Ours","Effect":"Allow","Principal":{"AWS":[
      "111122223333","arn:aws:iam::444455556666:user/Bob"]},"Action":"kms:*","Resource":"*"})");
  caller_ = AddCaller("Explainer", kExplainer);
  v1::ExplainRequest request = About(Operation::kDescribeKey, key_);
  request.set_principal(bob_->record.arn.text());
  const v1::ExplainResponse response = Explained(request);
  EXPECT_EQ(response.decision(), v1::ACCESS_DECISION_ALLOWED)
      << "Bob's own policy denies it, which is not for this account to know";
  EXPECT_EQ(response.details().decided_by().name(), "Ours");
  ASSERT_EQ(response.details().policies_size(), 1);
  EXPECT_EQ(response.details().policies(0).type(), v1::POLICY_TYPE_KEY_POLICY);
  EXPECT_THAT(response.details().changes(),
              ElementsAre(HasSubstr("belong to account 444455556666 and are not taken into "
                                    "account here")));
  const v1::ExplainResponse to_operator = [&] {
    request.set_key_id(ArnOf(key_));
    return ExplainedToOperator(request);
  }();
  EXPECT_EQ(to_operator.decision(), v1::ACCESS_DECISION_DENIED);
  EXPECT_EQ(to_operator.details().decided_by().name(), "Spec");
  EXPECT_EQ(to_operator.details().policies_size(), 2);
}

TEST_F(AcrossAccountsTest, WhatConcernsNeitherSideIsNotExplained) {
  caller_ = AddCaller("Carol", kExplainer, "777788889999");
  v1::ExplainRequest request = About(Operation::kDescribeKey, ArnOf(key_));
  for (const std::string name : {"Bob", "Nobody"}) {
    request.set_principal("arn:aws:iam::444455556666:user/" + name);
    EXPECT_THAT(Asked(request), Raises(Exception::kAccessDeniedException)) << name;
  }
}

}  // namespace
}  // namespace hallmark::app
