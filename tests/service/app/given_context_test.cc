#include "service/app/given_context.h"

#include "tests/support/result_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

using ::testing::ElementsAre;
using testing::IsOk;
using testing::RaisesWith;

using Values = google::protobuf::RepeatedPtrField<v1::ContextValue>;

Values ValuesOf(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Values values;
  for (const auto& [key, value] : pairs) {
    values.Add()->set_key(key);
    values.rbegin()->set_value(value);
  }
  return values;
}

// What a condition of an identity policy sees under the key, after `values` were given.
std::vector<std::string> Seen(const Values& values, const std::string& key, Operation operation,
                              RequestContext context = {}) {
  auto given = GivenContext::Parse(values);
  if (!given) {
    ADD_FAILURE() << ToString(given.error());
    return {};
  }
  given->ApplyTo(&context);
  const Caller caller{"arn:aws:iam::111122223333:user/a", *AccountId::Parse("111122223333"), "id"};
  const AccessRequest request{caller, operation, caller.account, "*", context};
  ValueBuffer buffer;
  const KeyValues read =
      KeyValues::Read(*ConditionKey::Parse(key), request, PolicyKind::kIdentity, buffer);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < read.size(); ++i) texts.emplace_back(read[i]);
  return texts;
}

// One row per key that can be given; what has no row cannot.
struct KeyRow {
  const char* key;
  Operation operation;  // one that has the key
  const char* value;
  const char* wrong;  // null: any text will do
  const char* type;
};
constexpr Operation kOn = Operation::kDescribeKey;
const KeyRow kRows[] = {
    {"kms:MacAlgorithm", Operation::kVerifyMac, "HMAC_SHA_384", "SHA_384", "a MAC algorithm"},
    {"kms:RequestAlias", kOn, "alias/a", nullptr, ""},
    {"kms:ResourceAliases", kOn, "alias/a", nullptr, ""},
    {"kms:KeySpec", kOn, "HMAC_512", "RSA_2048", "a spec of an HMAC key"},
    {"kms:KeyUsage", kOn, "GENERATE_VERIFY_MAC", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"},
    {"kms:KeyOrigin", kOn, "EXTERNAL", "HERE", "AWS_KMS or EXTERNAL"},
    {"kms:CustomerMasterKeySpec", kOn, "HMAC_224", "", "a spec of an HMAC key"},
    {"kms:CustomerMasterKeyUsage", kOn, "GENERATE_VERIFY_MAC", "", "GENERATE_VERIFY_MAC"},
    {"kms:MultiRegion", kOn, "true", "yes", "true or false"},
    {"kms:MultiRegionKeyType", kOn, "PRIMARY", nullptr, ""},
    {"kms:BypassPolicyLockoutSafetyCheck", Operation::kPutKeyPolicy, "true", "1", "true or false"},
    {"kms:GrantOperations", Operation::kCreateGrant, "GenerateMac", nullptr, ""},
    {"kms:GranteePrincipal", Operation::kCreateGrant, "arn:x", nullptr, ""},
    {"kms:RetiringPrincipal", Operation::kCreateGrant, "arn:x", nullptr, ""},
    {"kms:GrantConstraintType", Operation::kCreateGrant, "SourceArn", nullptr, ""},
    {"kms:GrantIsForAWSResource", Operation::kListGrants, "true", "no", "true or false"},
    {"kms:ExpirationModel", Operation::kImportKeyMaterial, "KEY_MATERIAL_EXPIRES", nullptr, ""},
    {"kms:ValidTo", Operation::kImportKeyMaterial, "2027-01-01T00:00:00Z", "soon", "a time"},
    {"kms:WrappingAlgorithm", Operation::kGetParametersForImport, "RSAES_OAEP_SHA_256", nullptr,
     ""},
    {"kms:WrappingKeySpec", Operation::kGetParametersForImport, "RSA_4096", nullptr, ""},
    {"kms:ScheduleKeyDeletionPendingWindowInDays", Operation::kScheduleKeyDeletion, "7", "7d",
     "a whole number"},
    {"kms:ViaService", kOn, "sns.amazonaws.com", nullptr, ""},
    {"aws:ResourceTag/team", kOn, "red", nullptr, ""},
    {"aws:RequestTag/team", Operation::kTagResource, "red", nullptr, ""},
    {"aws:TagKeys", Operation::kTagResource, "team", nullptr, ""},
    {"aws:RequestedRegion", kOn, "eu-west-1", nullptr, ""},
    {"aws:SourceArn", kOn, "arn:x", nullptr, ""},
    {"aws:SourceIp", kOn, "2001:db8::1", "10.0.0.0/8", "an IP address"},
    {"aws:UserAgent", kOn, "curl", nullptr, ""},
    {"aws:CurrentTime", kOn, "2027-01-01T00:00:00Z", "noon", "a time"},
    {"aws:EpochTime", kOn, "1800000000", "noon", "a time"},
    {"aws:SecureTransport", kOn, "false", "tls", "true or false"},
};

TEST(GivenContextTest, EveryKeyThatCanBeGivenReachesConditions) {
  for (const KeyRow& row : kRows) {
    EXPECT_THAT(Seen(ValuesOf({{row.key, row.value}}), row.key, row.operation),
                ElementsAre(row.value))
        << row.key;
  }
}

TEST(GivenContextTest, AValueOfTheWrongTypeIsRefusedByTheNameOfItsKey) {
  for (const KeyRow& row : kRows) {
    if (row.wrong == nullptr) continue;
    EXPECT_THAT(GivenContext::Parse(ValuesOf({{row.key, row.wrong}})),
                RaisesWith(Exception::kValidationException, std::string("Context key '") + row.key +
                                                                "' is not " + row.type + ": '" +
                                                                row.wrong + "'."));
  }
}

TEST(GivenContextTest, ATimeHasAYearOfFourDigits) {
  for (const char* const time : {"-62167219201", "0000-01-01T00:00:00+00:01", "-253402300799",
                                 "9999-12-31T23:59:59-00:01"}) {
    EXPECT_THAT(GivenContext::Parse(ValuesOf({{"aws:CurrentTime", time}})),
                testing::Raises(Exception::kValidationException))
        << time;
  }
  EXPECT_THAT(Seen(ValuesOf({{"aws:CurrentTime", "-62167219200"}}), "aws:CurrentTime", kOn),
              ElementsAre("0000-01-01T00:00:00Z"));
  EXPECT_THAT(Seen(ValuesOf({{"aws:CurrentTime", "253402300799"}}), "aws:CurrentTime", kOn),
              ElementsAre("9999-12-31T23:59:59Z"));
}

TEST(GivenContextTest, TheTableHasEveryKeyOfConditionsThatCanBeGiven) {
  std::set<ConditionKeyId> rows;
  for (const KeyRow& row : kRows) rows.insert(ConditionKey::Parse(row.key)->id);
#define HALLMARK_CONDITION_KEY(id, name, operations, policies)                                    \
  EXPECT_EQ(rows.contains(ConditionKeyId::k##id),                                                 \
            OriginOf(ConditionKeyId::k##id) != ValueOrigin::kPrincipal)                           \
      << name;                                                                                    \
  if (!rows.contains(ConditionKeyId::k##id)) {                                                    \
    std::string key = name;                                                                       \
    if (key.ends_with('/')) key += 'x';                                                           \
    EXPECT_THAT(GivenContext::Parse(ValuesOf({{key, "x"}})),                                      \
                RaisesWith(Exception::kValidationException,                                       \
                           "Context key '" + key +                                                \
                               "' follows from the principal and the key and cannot be given.")); \
  }
#include "keystate/policy/condition_keys.def"
#undef HALLMARK_CONDITION_KEY
}

TEST(GivenContextTest, NamesKnowNoCaseAndSeveralValuesBelongTogether) {
  const Values values = ValuesOf({{"AWS:TagKeys", "a"}, {"aws:tagkeys", "b"}});
  EXPECT_THAT(Seen(values, "aws:TagKeys", Operation::kTagResource), ElementsAre("a", "b"));
  EXPECT_THAT(GivenContext::Parse(ValuesOf({{"aws:SourceIp", "::1"}, {"AWS:sourceip", "::2"}})),
              RaisesWith(Exception::kValidationException,
                         "Context key 'aws:SourceIp' has one value, not several."));
}

TEST(GivenContextTest, AKeyThatDoesNotExistOrIsNeverPresentIsRefused) {
  EXPECT_THAT(
      GivenContext::Parse(ValuesOf({{"aws:Sourceip4", "::1"}})),
      RaisesWith(Exception::kValidationException, "Context key 'aws:Sourceip4' does not exist."));
  EXPECT_THAT(GivenContext::Parse(ValuesOf({{"aws:SourceVpc", "vpc-1"}})),
              RaisesWith(Exception::kValidationException,
                         "Context key 'aws:SourceVpc' is never present in a request."));
}

TEST(GivenContextTest, GivenTagsJoinThoseOfTheKey) {
  const std::vector<TagView> of_key{{"team", "red"}, {"stage", "test"}};
  RequestContext context;
  context.resource_tags = hallmark::TagList(of_key);
  const Values values = ValuesOf({{"aws:ResourceTag/team", "blue"}});
  EXPECT_THAT(Seen(values, "aws:ResourceTag/team", kOn, context), ElementsAre("blue"));
  EXPECT_THAT(Seen(values, "aws:ResourceTag/stage", kOn, context), ElementsAre("test"));
}

TEST(GivenContextTest, KnowsWhatACallerCouldNotTry) {
  const auto beyond = [](const char* key, const char* value, bool names_key) {
    const Values values = ValuesOf({{key, value}});
    return GivenContext::Parse(values)->GoesBeyondTheRequest(names_key);
  };
  EXPECT_FALSE(beyond("kms:MacAlgorithm", "HMAC_SHA_256", true));
  EXPECT_TRUE(beyond("aws:SourceIp", "10.0.0.1", false));
  EXPECT_TRUE(beyond("kms:KeySpec", "HMAC_256", true));
  EXPECT_TRUE(beyond("kms:RequestAlias", "alias/a", true)) << "KeyId has to be that alias";
  EXPECT_FALSE(beyond("kms:KeySpec", "HMAC_256", false)) << "CreateKey chooses it";
}

}  // namespace
}  // namespace hallmark::app
