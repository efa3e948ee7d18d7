#include "keystate/ids.h"

#include "keystate/bytes.h"
#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

namespace hallmark {
namespace {

using testing::IsOk;
using testing::Raises;
using testing::RaisesWith;

constexpr const char* kId = "1234abcd-12ab-34cd-56ef-1234567890ab";
const Site kSite{"aws", "us-west-2"};
const AccountId kCaller = *AccountId::Parse("111122223333");

struct MalformedId {
  const char* name;
  const char* text;
};

class MalformedKeyIdTest : public ::testing::TestWithParam<MalformedId> {};

TEST_P(MalformedKeyIdTest, IsNotFoundByThatName) {
  EXPECT_FALSE(KeyId::Parse(GetParam().text));
  EXPECT_THAT(ParseKeyReference(GetParam().text, kSite, kCaller, KeyIdForms::kKeyOrAlias),
              RaisesWith(Exception::kNotFoundException,
                         "Invalid keyId '" + std::string(GetParam().text) + "'"));
}

INSTANTIATE_TEST_SUITE_P(KeyIds, MalformedKeyIdTest,
                         ::testing::ValuesIn<MalformedId>({
                             {"Word", "fake-key-id"},
                             {"Underscore", "key_id"},
                             {"WithoutDashes", "1234abcd12ab34cd56ef1234567890ab"},
                             {"UpperCase", "1234ABCD-12ab-34cd-56ef-1234567890ab"},
                             {"DashElsewhere", "1234abc-d12ab-34cd-56ef-1234567890ab"},
                             {"OneDigitMore", "1234abcd-12ab-34cd-56ef-1234567890abc"},
                             {"TrailingSpace", "1234abcd-12ab-34cd-56ef-1234567890a "},
                             {"MultiRegionWord", "mrk-fake-key-id"},
                             {"MultiRegionShort", "mrk-1234abcd12ab34cd56ef1234567890a"},
                             {"MultiRegionWithDashes", "mrk-1234abcd-12ab-34cd-56ef-1234567890ab"},
                         }),
                         [](const auto& row) { return row.param.name; });

TEST(KeyIdTest, TextSurvivesTheRoundTrip) {
  EXPECT_EQ(KeyId::Parse(kId)->ToString(), kId);
  constexpr const char* kMultiRegion = "mrk-1234abcd12ab34cd56ef1234567890ab";
  EXPECT_EQ(KeyId::Parse(kMultiRegion)->ToString(), kMultiRegion);
  EXPECT_NE(*KeyId::Parse(kId), *KeyId::Parse(kMultiRegion));
}

TEST(KeyIdTest, RandomIdsAreVersionFourUuids) {
  std::array<std::byte, 16> ones{};
  ones.fill(std::byte{0xFF});
  EXPECT_EQ(KeyId::FromRandom(ones).ToString(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  EXPECT_EQ(KeyId::FromRandom({}).ToString(), "00000000-0000-4000-8000-000000000000");
}

TEST(KeyReferenceTest, ABareIdMeansTheCallersAccount) {
  const auto reference = ParseKeyReference(kId, kSite, kCaller, KeyIdForms::kKeyOnly);
  ASSERT_THAT(reference, IsOk());
  EXPECT_EQ(reference->account, kCaller);
  EXPECT_EQ(reference->key_id()->ToString(), kId);
}

TEST(KeyReferenceTest, AnArnNamesItsAccount) {
  const auto reference =
      ParseKeyReference(std::string("arn:aws:kms:us-west-2:444455556666:key/") + kId, kSite,
                        kCaller, KeyIdForms::kKeyOnly);
  ASSERT_THAT(reference, IsOk());
  EXPECT_EQ(reference->account.text(), "444455556666");
}

TEST(KeyReferenceTest, AliasesAreAcceptedWhereTheOperationTakesThem) {
  const auto by_name = ParseKeyReference("alias/demo", kSite, kCaller, KeyIdForms::kKeyOrAlias);
  ASSERT_THAT(by_name, IsOk());
  EXPECT_EQ(*by_name->alias(), "alias/demo");
  const auto by_arn = ParseKeyReference("arn:aws:kms:us-west-2:444455556666:alias/demo", kSite,
                                        kCaller, KeyIdForms::kKeyOrAlias);
  ASSERT_THAT(by_arn, IsOk());
  EXPECT_EQ(by_arn->account.text(), "444455556666");
}

TEST(KeyReferenceTest, AliasesAreAnInvalidArnElsewhere) {
  for (const char* alias : {"alias/demo", "arn:aws:kms:us-west-2:111122223333:alias/demo"}) {
    EXPECT_THAT(ParseKeyReference(alias, kSite, kCaller, KeyIdForms::kKeyOnly),
                RaisesWith(Exception::kInvalidArnException,
                           "Key Aliases are not supported for this operation."));
  }
}

TEST(KeyReferenceTest, AnotherRegionIsNamedInTheRefusal) {
  EXPECT_THAT(ParseKeyReference(std::string("arn:aws:kms:eu-west-1:111122223333:key/") + kId, kSite,
                                kCaller, KeyIdForms::kKeyOnly),
              RaisesWith(Exception::kNotFoundException, "Invalid arn eu-west-1"));
}

TEST(KeyReferenceTest, MalformedArnsAreNotFound) {
  for (const std::string arn :
       {"arn:", "arn:aws", "arn:aws:kms:us-west-2:111122223333",
        "arn:aws:s3:us-west-2:111122223333:key/x", "arn:aws-cn:kms:us-west-2:111122223333:key/x",
        "arn:aws:kms:us-west-2:1111:key/x", "arn:aws:kms:us-west-2:111122223333:key/not-a-uuid",
        "arn:aws:kms:us-west-2:111122223333:grant/x",
        "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab:x"}) {
    EXPECT_THAT(ParseKeyReference(arn, kSite, kCaller, KeyIdForms::kKeyOrAlias),
                RaisesWith(Exception::kNotFoundException, "Invalid arn " + arn));
  }
}

TEST(AliasNameTest, NeedsItsPrefix) {
  EXPECT_THAT(AliasName::Parse("demo"),
              RaisesWith(Exception::kValidationException,
                         "Alias must start with the prefix \"alias/\". Please see "
                         "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"));
}

TEST(AliasNameTest, TheReservedPrefixIsNotAuthorizedAndHasNoText) {
  EXPECT_THAT(AliasName::Parse("alias/aws/ebs"),
              RaisesWith(Exception::kNotAuthorizedException, ""));
}

TEST(AliasNameTest, AColonIsAnInvalidCharacter) {
  EXPECT_THAT(AliasName::Parse("alias/my:alias"),
              RaisesWith(Exception::kValidationException,
                         "alias/my:alias contains invalid characters for an alias"));
}

TEST(AliasNameTest, IsCaseSensitiveAndMayHaveSlashes) {
  EXPECT_EQ(AliasName::Parse("alias/Team/A_1-x")->text(), "alias/Team/A_1-x");
}

TEST(PrincipalArnTest, AcceptsRootsUsersRolesAndSessions) {
  for (const char* arn :
       {"arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/Admin",
        "arn:aws:iam::111122223333:user/team/x.y@z", "arn:aws:iam::111122223333:role/service",
        "arn:aws:sts::111122223333:assumed-role/service/session"}) {
    const auto parsed = PrincipalArn::Parse(arn, kSite);
    ASSERT_THAT(parsed, IsOk());
    EXPECT_EQ(parsed->text(), arn);
    EXPECT_EQ(parsed->account(), kCaller);
  }
}

TEST(PrincipalArnTest, RefusesWhatIsNoPrincipal) {
  for (const char* arn :
       {"", "Admin", "arn:aws:iam::111122223333", "arn:aws:iam::1111:user/x",
        "arn:aws:iam:us-west-2:111122223333:user/x", "arn:aws-cn:iam::111122223333:user/x",
        "arn:aws:iam::111122223333:group/x", "arn:aws:iam::111122223333:user/",
        "arn:aws:iam::111122223333:user/a//b", "arn:aws:iam::111122223333:user/a b",
        "arn:aws:iam::111122223333:user/a\nb", "arn:aws:iam::111122223333:assumed-role/a/b",
        "arn:aws:sts::111122223333:assumed-role/a", "arn:aws:sts::111122223333:assumed-role/p/a/b",
        "arn:aws:s3::111122223333:user/x"}) {
    EXPECT_THAT(PrincipalArn::Parse(arn, kSite), Raises(Exception::kValidationException)) << arn;
  }
}

TEST(GrantIdTest, IsSixtyFourLowerCaseHexadecimalDigits) {
  const std::string text = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  const std::optional<GrantId> id = GrantId::Parse(text);
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->ToString(), text);
  std::array<std::byte, 32> bytes{};
  std::ranges::copy(*FromHex(text), bytes.begin());
  EXPECT_EQ(GrantId::FromRandom(bytes), *id);
  for (const std::string& wrong :
       {std::string(), text.substr(1), text + "0", "A" + text.substr(1), "g" + text.substr(1)}) {
    EXPECT_FALSE(GrantId::Parse(wrong).has_value()) << wrong;
  }
}

TEST(PrincipalArnTest, SaysWhatItNames) {
  struct Row {
    const char* arn;
    PrincipalKind kind;
    const char* role_name;
    const char* name;
  };
  for (const Row& row : std::vector<Row>{
           {"arn:aws:iam::111122223333:root", PrincipalKind::kRoot, "", "root"},
           {"arn:aws:iam::111122223333:user/path/u", PrincipalKind::kUser, "", "u"},
           {"arn:aws:iam::111122223333:role/r", PrincipalKind::kRole, "r", "r"},
           {"arn:aws:iam::111122223333:role/path/r", PrincipalKind::kRole, "r", "r"},
           {"arn:aws:sts::111122223333:assumed-role/r/s", PrincipalKind::kSession, "r", "s"},
       }) {
    const Result<PrincipalArn> arn = PrincipalArn::Parse(row.arn, Site{"aws", "us-west-2"});
    ASSERT_TRUE(arn.has_value()) << row.arn;
    EXPECT_EQ(arn->kind(), row.kind) << row.arn;
    EXPECT_EQ(arn->role_name(), row.role_name) << row.arn;
    EXPECT_EQ(arn->name(), row.name) << row.arn;
  }
}

}  // namespace
}  // namespace hallmark
