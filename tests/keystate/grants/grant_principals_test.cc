#include "keystate/grants/grant_principals.h"

#include "tests/keystate/grants/test_grants.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace hallmark {
namespace {

using testing::kForeign;
using testing::kGrantSite;
using testing::TestPrincipal;

class GrantPrincipalsTest : public ::testing::Test {
 protected:
  GrantPrincipalsTest() {
    directory_.Load({
        TestPrincipal("HMIDROOT", "arn:aws:iam::111122223333:root"),
        TestPrincipal("AIDAALICE", "arn:aws:iam::111122223333:user/team/alice"),
        TestPrincipal("AROASVC", "arn:aws:iam::111122223333:role/path/Service"),
        TestPrincipal("AROASVC:issued", "arn:aws:sts::111122223333:assumed-role/Service/issued",
                      "AROASVC"),
        TestPrincipal("HMIDOLD", "arn:aws:sts::111122223333:assumed-role/Gone/old"),
        TestPrincipal("AIDABOB", "arn:aws:iam::444455556666:user/bob"),
    });
  }

  Result<GrantPrincipal> Resolve(std::string_view text,
                                 PrincipalMember member = PrincipalMember::kGrantee) const {
    return ResolveGrantPrincipal(text, member, kGrantSite, directory_);
  }

  PrincipalDirectory directory_;
};

TEST_F(GrantPrincipalsTest, WhoIsAcceptedAndWhatTheGrantBindsTo) {
  struct Row {
    const char* name;
    std::string_view text;
    std::string_view unique_id;
    std::string_view arn;
  };
  constexpr std::string_view kRoot = "arn:aws:iam::111122223333:root";
  constexpr std::string_view kAlice = "arn:aws:iam::111122223333:user/team/alice";
  constexpr std::string_view kRole = "arn:aws:iam::111122223333:role/path/Service";
  constexpr std::string_view kIssued = "arn:aws:sts::111122223333:assumed-role/Service/issued";
  constexpr std::string_view kNever = "arn:aws:sts::111122223333:assumed-role/Service/never";
  constexpr std::string_view kOld = "arn:aws:sts::111122223333:assumed-role/Gone/old";
  constexpr std::string_view kFed = "arn:aws:sts::111122223333:federated-user/fred";
  for (const Row& row : std::vector<Row>{
           {"account root", kRoot, "111122223333", kRoot},
           {"root of an account that has principals but no root", "arn:aws:iam::444455556666:root",
            "444455556666", "arn:aws:iam::444455556666:root"},
           {"user", kAlice, "AIDAALICE", kAlice},
           {"role", kRole, "AROASVC", kRole},
           {"session that was issued", kIssued, "AROASVC:issued", kIssued},
           {"session that was never issued", kNever, "AROASVC:never", kNever},
           {"session from before roles had sessions", kOld, "HMIDOLD", kOld},
           {"federated user", kFed, "111122223333:fred", kFed},
           {"user of another account", "arn:aws:iam::444455556666:user/bob", "AIDABOB",
            "arn:aws:iam::444455556666:user/bob"},
           {"unique id of a user", "AIDAALICE", "AIDAALICE", kAlice},
           {"unique id of a role", "AROASVC", "AROASVC", kRole},
           {"unique id of a root", "HMIDROOT", "111122223333", kRoot},
           {"unique id of a session", "AROASVC:issued", "AROASVC:issued", kIssued},
           {"unique id of a session never issued", "AROASVC:never", "AROASVC:never", kNever},
           {"unique id of a federated user", "111122223333:fred", "111122223333:fred", kFed},
           {"account number", "111122223333", "111122223333", kRoot},
       }) {
    const Result<GrantPrincipal> bound = Resolve(row.text);
    ASSERT_TRUE(bound.has_value()) << row.name << ": " << ToString(bound.error());
    EXPECT_EQ(bound->unique_id, row.unique_id) << row.name;
    EXPECT_EQ(bound->arn, row.arn) << row.name;
  }
  EXPECT_EQ(Resolve("AIDABOB")->account, kForeign);
}

TEST_F(GrantPrincipalsTest, WhoIsRefused) {
  constexpr std::string_view kNoSuchArn = "ARN does not refer to a valid principal: ";
  constexpr std::string_view kInvalidArn = "ARN is not valid: ";
  struct Row {
    const char* name;
    std::string text;
    std::string_view message;  // the text follows
  };
  for (const Row& row : std::vector<Row>{
           {"role that does not exist", "arn:aws:iam::111122223333:role/None", kNoSuchArn},
           {"role without its path", "arn:aws:iam::111122223333:role/Service", kNoSuchArn},
           {"user that does not exist", "arn:aws:iam::111122223333:user/none", kNoSuchArn},
           {"session of a role that does not exist",
            "arn:aws:sts::111122223333:assumed-role/None/s", kNoSuchArn},
           {"session of a role of another account",
            "arn:aws:sts::444455556666:assumed-role/Service/s", kNoSuchArn},
           {"federated user of an account that does not exist",
            "arn:aws:sts::999999999999:federated-user/fred", kNoSuchArn},
           {"root of an account that does not exist", "arn:aws:iam::999999999999:root", kNoSuchArn},
           {"session with the path of its role",
            "arn:aws:sts::111122223333:assumed-role/path/Service/s", kInvalidArn},
           {"group", "arn:aws:iam::111122223333:group/g", kInvalidArn},
           {"service", "arn:aws:iam::111122223333:service/lambda", kInvalidArn},
           {"organisation", "arn:aws:organizations::111122223333:organization/o-1", kInvalidArn},
           {"another partition", "arn:aws-cn:iam::111122223333:user/team/alice", kInvalidArn},
           {"half an ARN", "arn:aws", kInvalidArn},
           {"half a federated user", "arn:aws:sts::111122223333:", kInvalidArn},
           {"federated user of half an account", "arn:aws:sts::11112222333x:federated-user/f",
            kInvalidArn},
       }) {
    for (const PrincipalMember member :
         {PrincipalMember::kGrantee, PrincipalMember::kRetiring, PrincipalMember::kGranteeFilter,
          PrincipalMember::kRetiringFilter}) {
      const Result<GrantPrincipal> refused = Resolve(row.text, member);
      ASSERT_FALSE(refused.has_value()) << row.name;
      EXPECT_EQ(refused.error().exception, Exception::kInvalidArnException) << row.name;
      EXPECT_EQ(refused.error().message, std::string(row.message) + row.text) << row.name;
    }
  }
}

TEST_F(GrantPrincipalsTest, UniqueIdsOfNobodyHaveATextPerMember) {
  struct Row {
    PrincipalMember member;
    Exception exception;
    const char* message;
  };
  for (const Row& row : std::vector<Row>{
           {PrincipalMember::kGrantee, Exception::kInvalidArnException,
            "GranteePrincipal does not refer to a valid principal."},
           {PrincipalMember::kRetiring, Exception::kInvalidArnException,
            "RetiringPrincipal does not refer to a valid principal."},
           {PrincipalMember::kGranteeFilter, Exception::kInvalidArnException,
            "Input does not refer to a valid principal"},
           {PrincipalMember::kRetiringFilter, Exception::kNotFoundException,
            "Retiring principal AROAGONE:x could not be found"},
       }) {
    const Result<GrantPrincipal> refused = Resolve("AROAGONE:x", row.member);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().exception, row.exception);
    EXPECT_EQ(refused.error().message, row.message);
  }
  for (const char* nobody : {"AROAGONE", "bob", "999999999999", "999999999999:fred", "AIDAALICE:s",
                             "AROASVC:", "AROASVC:a/b", "AROASVC:a:b", ":s", "HMIDROOT:s"}) {
    EXPECT_FALSE(Resolve(nobody).has_value()) << nobody;
  }
}

// 4.6: after delete and recreate the old grant gives nothing and is listed with the raw id.
TEST_F(GrantPrincipalsTest, WhoIsMadeAgainIsSomebodyElse) {
  constexpr std::string_view kRole = "arn:aws:iam::111122223333:role/path/Service";
  constexpr std::string_view kNever = "arn:aws:sts::111122223333:assumed-role/Service/never";
  const GrantPrincipal role = *Resolve(kRole);
  const GrantPrincipal session = *Resolve(kNever);
  const GrantPrincipal root = *Resolve("HMIDROOT");
  const auto shown = [&](const GrantPrincipal& principal) {
    return ShownPrincipal(principal.unique_id, principal.arn, directory_);
  };
  EXPECT_EQ(shown(role), kRole);
  EXPECT_EQ(shown(session), kNever);
  directory_.Withdraw("AROASVC");
  directory_.Withdraw("HMIDROOT");
  directory_.Publish(TestPrincipal("AROANEW", std::string(kRole)));
  EXPECT_EQ(Resolve(kRole)->unique_id, "AROANEW");
  EXPECT_EQ(Resolve(kNever)->unique_id, "AROANEW:never");
  EXPECT_EQ(shown(role), "AROASVC");
  EXPECT_EQ(shown(session), "AROASVC:never");
  EXPECT_EQ(shown(root), "arn:aws:iam::111122223333:root") << "an account stays itself";
}

}  // namespace
}  // namespace hallmark
