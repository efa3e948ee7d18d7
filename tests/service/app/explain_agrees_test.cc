// What Explain says is what the call would get.
#include "tests/service/app/explain_fixture.h"

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace hallmark::app {
namespace {

// A call as a client makes it, of which nothing is changed for long.
struct RealCall {
  Operation operation;
  bool on_key;
  std::function<Status(const std::string& key)> make;
};

class ExplainAgreesTest : public ExplainTest {
 protected:
  template <class Request, class Response>
  RealCall On(
      Operation operation, std::function<void(Request&)> fill = [](Request&) {}) {
    return {operation, true, [this, operation, fill](const std::string& key) {
              Request request;
              request.set_key_id(key);
              fill(request);
              return Call<Response>(operation, request);
            }};
  }
  template <class Request, class Response>
  RealCall Without(
      Operation operation, std::function<void(Request&)> fill = [](Request&) {}) {
    return {operation, false, [this, operation, fill](const std::string&) {
              Request request;
              fill(request);
              return Call<Response>(operation, request);
            }};
  }

  std::vector<RealCall> Calls() {
    using enum Operation;
    return {
        On<v1::GenerateMacRequest, v1::GenerateMacResponse>(kGenerateMac,
                                                            [](v1::GenerateMacRequest& request) {
                                                              request.set_message("Hello");
                                                              request.set_mac_algorithm(
                                                                  v1::MAC_ALGORITHM_HMAC_SHA_256);
                                                            }),
        On<v1::VerifyMacRequest, v1::VerifyMacResponse>(kVerifyMac,
                                                        [](v1::VerifyMacRequest& request) {
                                                          request.set_message("Hello");
                                                          request.set_mac(std::string(32, 'x'));
                                                          request.set_mac_algorithm(
                                                              v1::MAC_ALGORITHM_HMAC_SHA_256);
                                                        }),
        On<v1::DescribeKeyRequest, v1::DescribeKeyResponse>(kDescribeKey),
        On<v1::EnableKeyRequest, v1::EnableKeyResponse>(kEnableKey),
        On<v1::DisableKeyRequest, v1::DisableKeyResponse>(kDisableKey),
        On<v1::CancelKeyDeletionRequest, v1::CancelKeyDeletionResponse>(kCancelKeyDeletion),
        On<v1::ScheduleKeyDeletionRequest, v1::ScheduleKeyDeletionResponse>(kScheduleKeyDeletion),
        On<v1::UpdateKeyDescriptionRequest, v1::UpdateKeyDescriptionResponse>(
            kUpdateKeyDescription,
            [](v1::UpdateKeyDescriptionRequest& request) { request.set_description("new"); }),
        On<v1::GetKeyPolicyRequest, v1::GetKeyPolicyResponse>(kGetKeyPolicy),
        On<v1::ListGrantsRequest, v1::ListGrantsResponse>(kListGrants),
        On<v1::ListResourceTagsRequest, v1::ListResourceTagsResponse>(kListResourceTags),
        On<v1::GetKeyRotationStatusRequest, v1::GetKeyRotationStatusResponse>(
            kGetKeyRotationStatus),
        On<v1::EnableKeyRotationRequest, v1::EnableKeyRotationResponse>(kEnableKeyRotation),
        On<v1::RotateKeyOnDemandRequest, v1::RotateKeyOnDemandResponse>(kRotateKeyOnDemand),
        On<v1::CreateGrantRequest, v1::CreateGrantResponse>(
            kCreateGrant,
            [](v1::CreateGrantRequest& request) {
              request.set_grantee_principal("arn:aws:iam::111122223333:user/Admin");
              request.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
              request.set_dry_run(true);
            }),
        Without<v1::ListKeysRequest, v1::ListKeysResponse>(kListKeys),
        Without<v1::ListAliasesRequest, v1::ListAliasesResponse>(kListAliases),
        Without<v1::GenerateRandomRequest, v1::GenerateRandomResponse>(
            kGenerateRandom,
            [](v1::GenerateRandomRequest& request) { request.set_number_of_bytes(8); }),
    };
  }

  // What Explain is about: permission, state and algorithm. What comes later is not its business.
  static std::string Refusal(const Status& status) {
    if (status) return "";
    const Exception exception = status.error().exception;
    if (exception == Exception::kDryRunOperationException ||
        exception == Exception::kKMSInvalidMacException) {
      return "";
    }
    return std::string(Describe(exception).name) + ": " + status.error().message;
  }
};

TEST_F(ExplainAgreesTest, WithWhatEveryCallGets) {
  const auto everything = AddCaller("Everything", kExplainer);
  const auto nothing = AddCaller("Nothing", "");
  const auto denied =
      AddCaller("Denied", Document(R"({"Effect":"Allow","Action":"*","Resource":"*"},
                            {"Effect":"Deny","NotAction":"hallmark:*","Resource":"*"})"));
  const auto conditional = AddCaller(
      "Conditional", Document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{
          "StringEqualsIfExists":{"kms:MacAlgorithm":"HMAC_SHA_512"},
          "NumericLessThanIfExists":{"kms:ScheduleKeyDeletionPendingWindowInDays":"20"},
          "BoolIfExists":{"kms:GrantIsForAWSResource":"true"}}})"));
  const auto named = AddCaller("Named", Document(R"({"Effect":"Allow","Action":"hallmark:Explain",
                                                     "Resource":"*"})"));
  const auto granted = AddCaller("Granted", "");
  const auto foreign = AddCaller("Foreign", kExplainer, "444455556666");
  const auto let_in = AddCaller("LetIn", kExplainer, "444455556666");
  Grant(granted->record.arn.text(),
        {v1::GRANT_OPERATION_GENERATE_MAC, v1::GRANT_OPERATION_DESCRIBE_KEY});
  SetKeyPolicy(
      R"({"Sid":"Home","Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
      {"Sid":"By name","Effect":"Allow","Principal":{"AWS":[
          "arn:aws:iam::111122223333:user/Named","arn:aws:iam::444455556666:user/LetIn"]},
        "Action":"kms:*","Resource":"*"},
      {"Sid":"Never","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:user/Named"},
        "Action":"kms:ListGrants","Resource":"*"})");
  const std::string arn = ArnOf(key_);
  int refused = 0;
  int allowed = 0;
  for (const auto& who :
       {everything, nothing, denied, conditional, named, granted, foreign, let_in}) {
    caller_ = who;
    for (const KeyState state :
         {KeyState::kEnabled, KeyState::kDisabled, KeyState::kPendingDeletion}) {
      for (const RealCall& real : Calls()) {
        SetState(state);
        const v1::ExplainResponse explained =
            Explained(About(real.operation, real.on_key ? arn : ""));
        const std::string said =
            explained.has_refusal() ? explained.refusal() + ": " + explained.refusal_text() : "";
        const Status status = real.make(arn);
        EXPECT_EQ(said, Refusal(status)) << who->record.arn.text() << " " << Name(real.operation)
                                         << " " << hallmark::Name(state);
        ++(status ? allowed : refused);
        EXPECT_EQ(explained.decision() == v1::ACCESS_DECISION_DENIED,
                  explained.refusal() == "AccessDeniedException");
      }
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(allowed, 50);
}

TEST_F(ExplainTest, WhoMayRetireAGrantIsSaidByTheGrant) {
  const auto alice = AddCaller("Alice", kExplainer);
  const auto carol = AddCaller("Carol", kExplainer, "444455556666");
  const std::string grant =
      Grant(alice->record.arn.text(), {v1::GRANT_OPERATION_GENERATE_MAC}, alice->record.arn.text());
  for (const auto& who : {alice, carol}) {
    caller_ = who;
    v1::ExplainRequest request = About(Operation::kRetireGrant, ArnOf(key_));
    request.set_grant_id(grant);
    const v1::ExplainResponse explained = Explained(request);
    v1::RetireGrantRequest real;
    real.set_key_id(ArnOf(key_));
    real.set_grant_id(grant);
    real.set_dry_run(true);
    const Status status = Call<v1::RetireGrantResponse>(Operation::kRetireGrant, real);
    ASSERT_FALSE(status.has_value());
    if (who == alice) {
      EXPECT_FALSE(explained.has_refusal());
      EXPECT_EQ(explained.details().grants(0).grant_id(), grant);
      EXPECT_TRUE(explained.details().grants(0).matches());
      EXPECT_THAT(status, Raises(Exception::kDryRunOperationException));
    } else {
      EXPECT_EQ(explained.refusal_text(), status.error().message);
    }
  }
}

TEST_F(ExplainTest, AForeignGrantLooksLikeOneThatIsNotThere) {
  const std::string grant =
      Grant("arn:aws:iam::111122223333:user/Admin", {v1::GRANT_OPERATION_GENERATE_MAC});
  const std::string there = ArnOf(key_);
  const std::string not_there =
      "arn:aws:kms:us-west-2:111122223333:key/00000000-0000-4000-8000-000000000000";
  for (const auto& who : {AddCaller("Silent", "", "444455556666"),
                          AddCaller("Explainer", kExplainer, "444455556666")}) {
    caller_ = who;
    std::set<std::string> said;
    for (const std::string& key : {there, not_there}) {
      for (const std::string& id : {grant, std::string(64, '0')}) {
        v1::ExplainRequest request = About(Operation::kRetireGrant, key);
        request.set_grant_id(id);
        v1::RetireGrantRequest real;
        real.set_key_id(key);
        real.set_grant_id(id);
        const v1::ExplainResponse explained = Explained(request);
        EXPECT_THAT(Call<v1::RetireGrantResponse>(Operation::kRetireGrant, real),
                    RaisesWith(Exception::kAccessDeniedException, explained.refusal_text()));
        std::string text = explained.ShortDebugString();
        for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key)) {
          text.replace(at, key.size(), "KEY");
        }
        said.insert(text);
      }
    }
    EXPECT_EQ(said.size(), 1U) << who->record.arn.text() << ::testing::PrintToString(said);
  }
}

TEST_F(ExplainTest, AnAliasNeedsThePermissionTwice) {
  const auto only_keys = AddCaller(
      "OnlyKeys", Document(R"({"Effect":"Allow","Action":"*","Resource":"arn:aws:kms:*:*:key/*"},
                              {"Effect":"Allow","Action":"hallmark:Explain","Resource":"*"})"));
  const auto only_aliases =
      AddCaller("OnlyAliases",
                Document(R"({"Effect":"Allow","Action":"*","Resource":"arn:aws:kms:*:*:alias/*"},
                                 {"Effect":"Allow","Action":"hallmark:Explain","Resource":"*"})"));
  for (const auto& who : {only_keys, only_aliases}) {
    caller_ = who;
    v1::ExplainRequest request = About(Operation::kCreateAlias, key_);
    request.set_alias_name("alias/orders");
    const v1::ExplainResponse explained = Explained(request);
    EXPECT_EQ(explained.details().resource(),
              who == only_keys ? "arn:aws:kms:us-west-2:111122223333:alias/orders" : ArnOf(key_));
    EXPECT_THAT(CreateAlias("alias/orders", key_),
                RaisesWith(Exception::kAccessDeniedException, explained.refusal_text()));
  }
}

TEST_F(ExplainTest, AnAliasIsTakenFromItsKeyBeforeItIsGivenToAnother) {
  const std::string other = CreateKey();
  ASSERT_THAT(CreateAlias("alias/orders", key_), IsOk());
  const auto may_only = [&](const char* name, const std::string& key) {
    return AddCaller(name, Document(R"({"Effect":"Allow","Action":"*","Resource":[
        "arn:aws:kms:*:*:alias/*",")" +
                                    ArnOf(key) + R"("]},
        {"Effect":"Allow","Action":"hallmark:Explain","Resource":"*"})"));
  };
  const auto on_old = may_only("OnOld", key_);
  const auto on_new = may_only("OnNew", other);
  const auto compare = [&](const std::string& decided_on) {
    v1::ExplainRequest request = About(Operation::kUpdateAlias, other);
    request.set_alias_name("alias/orders");
    const v1::ExplainResponse explained = Explained(request);
    EXPECT_EQ(explained.details().resource(), ArnOf(decided_on));
    v1::UpdateAliasRequest real;
    real.set_alias_name("alias/orders");
    real.set_target_key_id(other);
    const Status status = Call<v1::UpdateAliasResponse>(Operation::kUpdateAlias, real);
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(explained.refusal_text(), status.error().message);
  };
  caller_ = on_new;
  compare(key_);
  caller_ = on_old;
  compare(other);
  // By an id, so that there is no kms:RequestAlias.
  caller_ = AddCaller("ByAlias", Document(R"({"Effect":"Allow","Action":"*","Resource":
      "arn:aws:kms:*:*:alias/*"},{"Effect":"Allow","Action":"*","Resource":"*",
      "Condition":{"StringEquals":{"kms:RequestAlias":"alias/orders"}}})"));
  v1::ExplainRequest request = About(Operation::kDeleteAlias, "");
  request.set_alias_name("alias/orders");
  v1::DeleteAliasRequest real;
  real.set_alias_name("alias/orders");
  EXPECT_THAT(Call<v1::DeleteAliasResponse>(Operation::kDeleteAlias, real),
              RaisesWith(Exception::kAccessDeniedException, Explained(request).refusal_text()));
  request.set_key_id(other);
  EXPECT_THAT(Asked(request), Raises(Exception::kValidationException));
}

TEST_F(ExplainTest, TagsOfANewKeyNeedAPermissionOfTheirOwn) {
  caller_ = AddCaller("Maker", Document(R"({"Effect":"Allow","Action":["kms:CreateKey",
      "hallmark:Explain"],"Resource":"*"})"));
  v1::ExplainRequest request = About(Operation::kCreateKey, "");
  EXPECT_EQ(Explained(request).decision(), v1::ACCESS_DECISION_ALLOWED);
  Give(request, "aws:RequestTag/team", "red");
  v1::CreateKeyRequest real = NewHmac256();
  real.add_tags()->set_tag_key("team");
  real.mutable_tags(0)->set_tag_value("red");
  EXPECT_THAT(Call<v1::CreateKeyResponse>(Operation::kCreateKey, real),
              RaisesWith(Exception::kAccessDeniedException, Explained(request).refusal_text()));
}

TEST_F(ExplainTest, ConditionsOnTheRequestsOwnMembersAreMetByTheRealCalls) {
  caller_ = AddCaller("Careful", Document(R"(
      {"Effect":"Allow","Action":"*","Resource":"*"},
      {"Sid":"OnlyRed","Effect":"Deny","Action":"kms:TagResource","Resource":"*","Condition":{
        "StringNotEquals":{"aws:RequestTag/team":"red"}}},
      {"Sid":"KeepTeam","Effect":"Deny","Action":"kms:UntagResource","Resource":"*","Condition":{
        "ForAnyValue:StringEquals":{"aws:TagKeys":"team"}}},
      {"Sid":"Slowly","Effect":"Deny","Action":"kms:ScheduleKeyDeletion","Resource":"*","Condition":{
        "NumericLessThan":{"kms:ScheduleKeyDeletionPendingWindowInDays":"30"}}})"));
  EXPECT_THAT(TagResource(key_, "team", "blue"), Raises(Exception::kAccessDeniedException));
  EXPECT_THAT(TagResource(key_, "team", "red"), IsOk());
  v1::UntagResourceRequest untag;
  untag.set_key_id(key_);
  untag.add_tag_keys("team");
  EXPECT_THAT(Call<v1::UntagResourceResponse>(Operation::kUntagResource, untag),
              Raises(Exception::kAccessDeniedException));
  EXPECT_THAT(ScheduleKeyDeletion(key_), Raises(Exception::kAccessDeniedException));
  v1::ExplainRequest request = About(Operation::kScheduleKeyDeletion, key_);
  EXPECT_FALSE(Explained(request).has_refusal()) << "30 days where none are given";
  Give(request, "kms:ScheduleKeyDeletionPendingWindowInDays", "7");
  EXPECT_EQ(Explained(request).details().decided_by().name(), "Slowly");
}

}  // namespace
}  // namespace hallmark::app
