#include "keystate/grants/grant_rules.h"

#include "tests/keystate/grants/test_grants.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {
namespace {

using testing::GrantsOf;
using testing::kForeign;
using testing::kGrantSite;
using testing::kOwner;
using testing::TestGrant;
using testing::TestGrantId;
using testing::TestGrantKey;
using testing::TestPrincipal;

using Names = std::vector<std::string_view>;

TEST(GrantOperationsTest, RowsOfTheValidOperations) {
  constexpr std::string_view kAllOfThem =
      "Valid operations are [CreateGrant, RetireGrant, DescribeKey, GenerateMac, VerifyMac]";
  const auto unsupported = [&](const std::string& names) {
    return "Operations [" + names +
           "] are not supported when creating a grant for a symmetric KMS key with key usage "
           "GENERATE_VERIFY_MAC. " +
           std::string(kAllOfThem);
  };
  struct Row {
    const char* name;
    Names names;
    std::string refusal;  // empty: accepted
    std::vector<Operation> want;
  };
  for (const Row& row : std::vector<Row>{
           {"all five, in the order of the request",
            {"VerifyMac", "GenerateMac", "DescribeKey", "RetireGrant", "CreateGrant"},
            "",
            {Operation::kVerifyMac, Operation::kGenerateMac, Operation::kDescribeKey,
             Operation::kRetireGrant, Operation::kCreateGrant}},
           {"twice the same",
            {"GenerateMac", "VerifyMac", "GenerateMac"},
            "",
            {Operation::kGenerateMac, Operation::kVerifyMac}},
           {"one of another key", {"Encrypt"}, unsupported("Encrypt"), {}},
           {"only the offending ones are named, once each",
            {"GenerateMac", "Sign", "Encrypt", "Sign"},
            unsupported("Sign, Encrypt"),
            {}},
           {"an operation that no grant has", {"EnableKey"}, unsupported("EnableKey"), {}},
           {"letter case counts", {"generateMac"}, unsupported("generateMac"), {}},
           {"CreateGrant alone",
            {"CreateGrant"},
            "Grants must not contain only the CreateGrant operation.",
            {}},
           {"CreateGrant twice",
            {"CreateGrant", "CreateGrant"},
            "Grants must not contain only the CreateGrant operation.",
            {}},
           {"RetireGrant alone", {"RetireGrant"}, "", {Operation::kRetireGrant}},
           {"none", {}, "Grants must contain at least one operation.", {}},
       }) {
    const Result<GrantOperations> operations = ParseGrantOperations(row.names);
    ASSERT_EQ(operations.has_value(), row.refusal.empty()) << row.name;
    if (operations) {
      EXPECT_EQ(std::vector<Operation>(operations->begin(), operations->end()), row.want)
          << row.name;
    } else {
      EXPECT_EQ(operations.error().exception, Exception::kValidationException) << row.name;
      EXPECT_EQ(operations.error().message, row.refusal) << row.name;
    }
  }
}

class DraftGrantTest : public ::testing::Test {
 protected:
  DraftGrantTest() {
    directory_.Load({TestPrincipal("AIDAU", "arn:aws:iam::111122223333:user/u"),
                     TestPrincipal("AIDAR", "arn:aws:iam::444455556666:user/r")});
  }
  Result<GrantRecord> Draft(const GrantRequest& request) const {
    return DraftGrant(request, {TestGrantId(1), TestGrantKey(2), kForeign, kNow}, kGrantSite,
                      directory_);
  }
  static void ExpectRefused(const Result<GrantRecord>& draft, Exception exception,
                            const std::string& message) {
    ASSERT_FALSE(draft.has_value()) << message;
    EXPECT_EQ(draft.error().exception, exception);
    EXPECT_EQ(draft.error().message, message);
  }

  static constexpr WallTime kNow{std::chrono::milliseconds(1'700'000'000'999)};
  PrincipalDirectory directory_;
  const Names operations_{"VerifyMac", "GenerateMac"};
  GrantRequest request_{.operations = operations_, .grantee = "arn:aws:iam::111122223333:user/u"};
};

TEST_F(DraftGrantTest, EverythingThatWasAskedFor) {
  request_.retiring = "AIDAR";
  request_.name = "name";
  request_.source_arn = "arn:aws:s3:::bucket";
  const Result<GrantRecord> draft = Draft(request_);
  ASSERT_TRUE(draft.has_value()) << ToString(draft.error());
  EXPECT_EQ(draft->id, TestGrantId(1));
  EXPECT_EQ(draft->key_id, TestGrantKey(2));
  EXPECT_EQ(draft->grantee_id, "AIDAU");
  EXPECT_EQ(draft->grantee, "arn:aws:iam::111122223333:user/u");
  EXPECT_EQ(draft->retiring_id, "AIDAR");
  EXPECT_EQ(draft->retiring, "arn:aws:iam::444455556666:user/r");
  EXPECT_EQ(draft->issuing_account, kForeign);
  EXPECT_EQ(draft->name, "name");
  EXPECT_EQ(draft->operations,
            testing::Operations({Operation::kVerifyMac, Operation::kGenerateMac}));
  EXPECT_EQ(draft->source_arn, "arn:aws:s3:::bucket");
  EXPECT_EQ(draft->created, WallTime(std::chrono::seconds(1'700'000'000))) << "whole seconds";
  EXPECT_EQ(draft->revision, 0U);
}

TEST_F(DraftGrantTest, NobodyRetiresUnlessNamed) {
  const Result<GrantRecord> draft = Draft(request_);
  ASSERT_TRUE(draft.has_value()) << ToString(draft.error());
  EXPECT_EQ(draft->retiring_id, "");
  EXPECT_EQ(draft->retiring, "");
}

TEST_F(DraftGrantTest, WhatIsRefusedInTheOrderOfTheChecks) {
  request_.grantee = "nobody";
  request_.retiring = "AROAGONE";
  request_.has_encryption_context = true;
  request_.source_arn = "bucket";
  request_.operations = {};
  ExpectRefused(Draft(request_), Exception::kValidationException,
                "Grants must contain at least one operation.");
  request_.operations = operations_;
  ExpectRefused(Draft(request_), Exception::kValidationException,
                "EncryptionContext is supported only when creating a grant for a symmetric "
                "encryption KMS key.");
  request_.has_encryption_context = false;
  ExpectRefused(Draft(request_), Exception::kInvalidArnException, "ARN is not valid: bucket");
  request_.source_arn = "";
  ExpectRefused(Draft(request_), Exception::kInvalidArnException,
                "GranteePrincipal does not refer to a valid principal.");
  request_.grantee = "AIDAU";
  ExpectRefused(Draft(request_), Exception::kInvalidArnException,
                "RetiringPrincipal does not refer to a valid principal.");
  request_.retiring = "AIDAR";
  EXPECT_TRUE(Draft(request_).has_value());
}

// 4.3: ARN and unique id are the same principal; who was made again is another.
TEST_F(DraftGrantTest, NamedRepeatsGoByIdentity) {
  request_.name = "name";
  const GrantSet grants = GrantSet().With(*Draft(request_));
  request_.grantee = "AIDAU";
  EXPECT_NE(grants.FindRepeated(*Draft(request_)), nullptr);
  directory_.Withdraw("AIDAU");
  directory_.Publish(TestPrincipal("AIDAU2", "arn:aws:iam::111122223333:user/u"));
  request_.grantee = "arn:aws:iam::111122223333:user/u";
  EXPECT_EQ(grants.FindRepeated(*Draft(request_)), nullptr);
}

TEST(GrantQuotaTest, FiftyThousandAndNoMore) {
  std::vector<GrantRecord> grants;
  for (unsigned i = 0; i < 50'000; ++i) grants.push_back(TestGrant(i, "u"));
  const GrantSet full = GrantSet::Of(grants);
  const Status refused = CheckGrantQuota(full);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().exception, Exception::kLimitExceededException);
  EXPECT_TRUE(CheckGrantQuota(full.Without(TestGrantId(0))).has_value());
  EXPECT_TRUE(CheckGrantQuota(GrantSet()).has_value());
}

TEST(FindGrantTest, MalformedUnknownAndKnownIds) {
  const GrantSet grants = GrantsOf({TestGrant(1, "u")});
  const std::string known = TestGrantId(1).ToString();
  ASSERT_TRUE(FindGrant(grants, known).has_value());
  EXPECT_EQ((*FindGrant(grants, known))->id, TestGrantId(1));

  const std::string unknown = TestGrantId(2).ToString();
  const Result<GrantPtr> missing = FindGrant(grants, unknown);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().exception, Exception::kNotFoundException);
  EXPECT_EQ(missing.error().message, "Grant ID " + unknown + " not found");

  for (const std::string& malformed :
       {std::string("x"), known.substr(1), known + "0", std::string(64, 'G')}) {
    const Result<GrantPtr> refused = FindGrant(grants, malformed);
    ASSERT_FALSE(refused.has_value()) << malformed;
    EXPECT_EQ(refused.error().exception, Exception::kInvalidGrantIdException) << malformed;
  }
}

TEST(ChildGrantTest, AChildMayNotExceedOneParent) {
  constexpr auto kCreate = Operation::kCreateGrant;
  constexpr auto kGenerate = Operation::kGenerateMac;
  constexpr auto kVerify = Operation::kVerifyMac;
  const std::string bucket = "arn:aws:s3:::bucket";
  GrantRecord narrow = TestGrant(4, "narrow", {kCreate, kGenerate});
  narrow.source_arn = bucket;
  const GrantSet grants = GrantsOf({
      TestGrant(1, "u", {kCreate, kGenerate}),
      TestGrant(2, "u", {kCreate, kVerify}),
      TestGrant(3, "maker", {kGenerate, kVerify}),
      narrow,
      TestGrant(5, "ROLE", {kCreate, kGenerate}),
  });
  struct Row {
    const char* name;
    std::string_view caller;
    std::vector<Operation> operations;
    std::string_view child_source;
    std::string_view call_source;
    std::optional<unsigned> parent;
  };
  for (const Row& row : std::vector<Row>{
           {"an operation of the parent", "u", {kGenerate}, "", "", 1},
           {"of another parent", "u", {kVerify}, "", "", 2},
           {"CreateGrant may be passed on", "u", {kVerify, kCreate}, "", "", 2},
           {"half from one, half from the other", "u", {kGenerate, kVerify}, "", "", {}},
           {"an operation of no parent", "u", {Operation::kDescribeKey}, "", "", {}},
           {"a constraint makes a child stricter", "u", {kGenerate}, bucket, "", 1},
           {"the parent does not have CreateGrant", "maker", {kGenerate}, "", "", {}},
           {"somebody else's parent", "v", {kGenerate}, "", "", {}},
           {"no constraint where the parent has one", "narrow", {kGenerate}, "", bucket, {}},
           {"another constraint than the parent's",
            "narrow",
            {kGenerate},
            "arn:aws:s3:::b",
            bucket,
            {}},
           {"the parent's constraint does not hold", "narrow", {kGenerate}, bucket, "", {}},
           {"the same constraint", "narrow", {kGenerate}, bucket, bucket, 4},
       }) {
    GrantRecord child = TestGrant(99, "child", {});
    for (const Operation operation : row.operations) child.operations.Add(operation);
    child.source_arn = row.child_source;
    const GrantCaller caller{.account = kOwner, .unique_id = row.caller};
    const std::optional<CoveringGrant> parent =
        grants.FindCovering(caller, DemandOnParent(child, row.call_source));
    ASSERT_EQ(parent.has_value(), row.parent.has_value()) << row.name;
    if (parent) {
      EXPECT_EQ(parent->grant->id, TestGrantId(*row.parent)) << row.name;
    }
  }
  const GrantCaller session{
      .account = kOwner, .unique_id = "ROLE:s", .role_id = "ROLE", .is_session = true};
  EXPECT_TRUE(
      grants.FindCovering(session, DemandOnParent(TestGrant(99, "child", {kGenerate}), "")));
}

TEST(RetireTest, WhoMayRetire) {
  const auto grant = [](std::string grantee, std::string retiring,
                        std::initializer_list<Operation> operations, const AccountId& issuer) {
    GrantRecord made = TestGrant(1, std::move(grantee), operations);
    made.retiring_id = std::move(retiring);
    made.issuing_account = issuer;
    return made;
  };
  const auto user = [](const AccountId& account, std::string_view id) {
    return GrantCaller{.account = account, .unique_id = id};
  };
  const auto root = [](const AccountId& account) {
    return GrantCaller{.account = account, .unique_id = "root", .is_root = true};
  };
  const GrantCaller session{
      .account = kOwner, .unique_id = "ROLE:s", .role_id = "ROLE", .is_session = true};
  constexpr auto kGenerate = Operation::kGenerateMac;
  constexpr auto kRetire = Operation::kRetireGrant;
  constexpr auto kNone = RetireRight::kNone;
  constexpr auto kPolicy = RetireRight::kWithIdentityPolicy;
  constexpr auto kByGrant = RetireRight::kByGrant;
  struct Row {
    const char* name;
    GrantRecord grant;
    GrantCaller caller;
    RetireRight want;
    bool to_session = false;
  };
  const AccountId third = *AccountId::Parse("777788889999");
  for (const Row& row : std::vector<Row>{
           {"the retiring principal", grant("g", "r", {kGenerate}, third), user(kOwner, "r"),
            kByGrant},
           {"a retiring principal of another account", grant("g", "r", {kGenerate}, kOwner),
            user(kForeign, "r"), kPolicy},
           {"the grantee, without RetireGrant", grant("g", "r", {kGenerate}, third),
            user(kOwner, "g"), kNone},
           {"the grantee, with RetireGrant", grant("g", "", {kGenerate, kRetire}, third),
            user(kOwner, "g"), kByGrant},
           {"a grantee of another account, with RetireGrant",
            grant("g", "", {kGenerate, kRetire}, kOwner), user(kForeign, "g"), kPolicy},
           {"the root of the issuing account", grant("g", "r", {kGenerate}, kOwner), root(kOwner),
            kByGrant},
           {"a principal of the issuing account", grant("g", "r", {kGenerate}, kOwner),
            user(kOwner, "x"), kPolicy},
           {"the key's account, if another issued it", grant("g", "r", {kGenerate}, third),
            user(kOwner, "x"), kNone},
           {"its root, likewise", grant("g", "r", {kGenerate}, third), root(kOwner), kNone},
           {"the root of an issuing account that is not the key's",
            grant("g", "r", {kGenerate}, kForeign), root(kForeign), kByGrant},
           {"a principal of that account", grant("g", "r", {kGenerate}, kForeign),
            user(kForeign, "x"), kPolicy},
           {"a principal of a retiring account", grant("g", "444455556666", {kGenerate}, kOwner),
            user(kForeign, "x"), kPolicy},
           {"the root of a retiring account, not the key's",
            grant("g", "444455556666", {kGenerate}, kOwner), root(kForeign), kPolicy},
           {"the root of a retiring account, the key's",
            grant("g", "111122223333", {kGenerate}, third), root(kOwner), kByGrant},
           {"anybody else, whatever their policies say", grant("g", "r", {kGenerate}, kOwner),
            user(kForeign, "x"), kNone},
           {"nobody is named by an empty id", grant("g", "", {kGenerate}, third), user(kOwner, ""),
            kNone},
           {"a retiring session", grant("g", "ROLE:s", {kGenerate}, third), session, kByGrant,
            true},
           {"a session of the retiring role", grant("g", "ROLE", {kGenerate}, third), session,
            kByGrant},
           {"another session of its role", grant("g", "ROLE:t", {kGenerate}, third), session,
            kNone},
           {"a session of a retiring role that is the grantee itself",
            grant("ROLE:s", "ROLE", {kGenerate, kRetire}, third), session, kByGrant, true},
       }) {
    const RetireDecision decision = MayRetire(row.grant, row.caller, kOwner);
    EXPECT_EQ(decision.right, row.want) << row.name;
    EXPECT_EQ(decision.to_session, row.to_session) << row.name;
  }
}

}  // namespace
}  // namespace hallmark
