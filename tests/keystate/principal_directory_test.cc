#include "keystate/principal_directory.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hallmark {
namespace {

const Site kSite{"aws", "us-west-2"};

CertificateFingerprint Fingerprint(unsigned number) {
  CertificateFingerprint fingerprint{};
  fingerprint[0] = static_cast<std::byte>(number);
  fingerprint[1] = static_cast<std::byte>(number >> 8U);
  return fingerprint;
}

std::shared_ptr<const Principal> User(const std::string& id, const std::string& name,
                                      unsigned certificate) {
  return std::make_shared<const Principal>(
      Principal{{.unique_id = id,
                 .arn = *PrincipalArn::Parse("arn:aws:iam::111122223333:user/" + name, kSite)},
                nullptr,
                "",
                {{.fingerprint = Fingerprint(certificate), .principal_id = id}},
                {}});
}

TEST(PrincipalDirectoryTest, FindsByCertificateAndArn) {
  PrincipalDirectory directory;
  const auto user = User("1", "u", 1);
  directory.Publish(user);
  EXPECT_EQ(directory.FindByFingerprint(Fingerprint(1)), user);
  EXPECT_EQ(directory.FindByArn(user->record.arn.text()), user);
  EXPECT_EQ(directory.FindByFingerprint(Fingerprint(2)), nullptr);
}

TEST(PrincipalDirectoryTest, AWithdrawnPrincipalIsGoneInEveryIndex) {
  PrincipalDirectory directory;
  directory.Publish(User("1", "u", 1));
  directory.Withdraw("1");
  EXPECT_EQ(directory.FindByFingerprint(Fingerprint(1)), nullptr);
  EXPECT_EQ(directory.FindByArn("arn:aws:iam::111122223333:user/u"), nullptr);
  EXPECT_TRUE(directory.List().empty());
}

TEST(PrincipalDirectoryTest, ANewVersionDropsTheCertificatesOfTheOld) {
  PrincipalDirectory directory;
  directory.Publish(User("1", "u", 1));
  directory.Publish(User("1", "u", 2));
  EXPECT_EQ(directory.FindByFingerprint(Fingerprint(1)), nullptr);
  EXPECT_NE(directory.FindByFingerprint(Fingerprint(2)), nullptr);
  EXPECT_EQ(directory.List().size(), 1U);
}

TEST(PrincipalDirectoryTest, ANamesakeAddedBeforeTheOldOneIsWithdrawnStays) {
  PrincipalDirectory directory;
  directory.Publish(User("old", "u", 1));
  const auto namesake = User("new", "u", 2);
  directory.Publish(namesake);
  directory.Withdraw("old");
  EXPECT_EQ(directory.FindByArn("arn:aws:iam::111122223333:user/u"), namesake);
  EXPECT_EQ(directory.FindByFingerprint(Fingerprint(1)), nullptr);
  const auto heir = User("heir", "u", 2);
  directory.Publish(heir);
  directory.Withdraw("new");
  EXPECT_EQ(directory.FindByFingerprint(Fingerprint(2)), heir);
}

std::shared_ptr<const Principal> UserWithKeys(const std::string& id,
                                              const std::vector<std::string>& access_keys) {
  Principal principal = *User(id, "u" + id, 1);
  for (const std::string& key : access_keys) principal.access_keys.push_back({key, id});
  return std::make_shared<const Principal>(std::move(principal));
}

TEST(PrincipalDirectoryTest, FindsByEachAccessKey) {
  PrincipalDirectory directory;
  const auto user = UserWithKeys("1", {"HMAKOLD", "HMAKNEW"});
  directory.Load({user});
  EXPECT_EQ(directory.FindByAccessKey("HMAKOLD"), user);
  EXPECT_EQ(directory.FindByAccessKey("HMAKNEW"), user);
  EXPECT_EQ(directory.FindByAccessKey("HMAK"), nullptr);
  EXPECT_EQ(directory.FindByAccessKey(""), nullptr);
}

TEST(PrincipalDirectoryTest, ANewVersionDropsTheAccessKeysOfTheOld) {
  PrincipalDirectory directory;
  directory.Publish(UserWithKeys("1", {"HMAKOLD"}));
  const auto rotated = UserWithKeys("1", {"HMAKNEW"});
  directory.Publish(rotated);
  EXPECT_EQ(directory.FindByAccessKey("HMAKOLD"), nullptr);
  EXPECT_EQ(directory.FindByAccessKey("HMAKNEW"), rotated);
  directory.Withdraw("1");
  EXPECT_EQ(directory.FindByAccessKey("HMAKNEW"), nullptr);
}

TEST(PrincipalDirectoryTest, AnAccessKeyThatMovedStaysWithItsNewOwner) {
  PrincipalDirectory directory;
  directory.Publish(UserWithKeys("1", {"HMAK"}));
  const auto heir = UserWithKeys("2", {"HMAK"});
  directory.Publish(heir);
  directory.Withdraw("1");
  EXPECT_EQ(directory.FindByAccessKey("HMAK"), heir);
}

std::shared_ptr<const Principal> Of(const std::string& id, const std::string& arn,
                                    const std::string& role_id = {}) {
  Principal principal{
      {.unique_id = id, .arn = *PrincipalArn::Parse("arn:aws:" + arn, kSite)}, nullptr, {}, {}, {}};
  principal.record.role_id = role_id;
  return std::make_shared<const Principal>(std::move(principal));
}

TEST(PrincipalDirectoryTest, FindsByUniqueIdRoleAndAccount) {
  const AccountId account = *AccountId::Parse("111122223333");
  const AccountId other = *AccountId::Parse("444455556666");
  PrincipalDirectory directory;
  EXPECT_FALSE(directory.KnowsAccount(account));
  const auto role = Of("R", "iam::111122223333:role/path/Service");
  const auto session = Of("R:s", "sts::111122223333:assumed-role/Service/s", "R");
  const auto second = Of("R:t", "sts::111122223333:assumed-role/Service/t", "R");
  directory.Load({role, session, second, Of("R2:s", "sts::111122223333:assumed-role/X/s", "R2")});
  EXPECT_EQ(directory.FindByUniqueId("R"), role);
  EXPECT_EQ(directory.FindByUniqueId("R:s"), session);
  EXPECT_EQ(directory.FindByUniqueId("r"), nullptr);
  EXPECT_EQ(directory.FindRole(account, "Service"), role);
  EXPECT_EQ(directory.FindRole(account, "path/Service"), nullptr);
  EXPECT_EQ(directory.FindRole(other, "Service"), nullptr);
  EXPECT_EQ(directory.SessionsOf("R"),
            (std::vector<std::shared_ptr<const Principal>>{session, second}));
  EXPECT_TRUE(directory.SessionsOf("").empty());
  EXPECT_TRUE(directory.KnowsAccount(account));
  EXPECT_FALSE(directory.KnowsAccount(other));

  directory.Publish(Of("R", "iam::111122223333:role/path/Service"));  // a new version
  directory.Withdraw("R:s");
  EXPECT_EQ(directory.SessionsOf("R").size(), 1U);
  directory.Withdraw("R");
  EXPECT_EQ(directory.FindRole(account, "Service"), nullptr);
  EXPECT_EQ(directory.FindByUniqueId("R"), nullptr);
  directory.Withdraw("R:t");
  EXPECT_TRUE(directory.KnowsAccount(account));
  directory.Withdraw("R2:s");
  EXPECT_FALSE(directory.KnowsAccount(account));
}

TEST(PrincipalDirectoryTest, ARoleThatCallsForItselfCountsAsASessionThatNothingCanName) {
  const auto role = Of("R", "iam::111122223333:role/path/Service");
  const Caller caller = CallerOf(*role);
  EXPECT_TRUE(caller.is_session());
  EXPECT_EQ(caller.unique_id, "");
  EXPECT_EQ(caller.role_id, "R");
  EXPECT_EQ(caller.role_arn, "arn:aws:iam::111122223333:role/path/Service");
}

TEST(PrincipalDirectoryTest, SeveralArePublishedAtOnce) {
  PrincipalDirectory directory;
  directory.Publish(User("1", "u", 1));
  const auto next = User("1", "u", 2);
  const auto other = User("2", "v", 3);
  directory.Publish(std::vector{next, other});
  EXPECT_EQ(directory.FindByFingerprint(Fingerprint(1)), nullptr);
  EXPECT_EQ(directory.FindByFingerprint(Fingerprint(2)), next);
  EXPECT_EQ(directory.FindByUniqueId("2"), other);
  EXPECT_EQ(directory.List().size(), 2U);
}

TEST(PrincipalDirectoryTest, ConcurrentWritersLoseNobody) {
  PrincipalDirectory directory;
  std::vector<std::jthread> writers;
  for (unsigned t = 0; t < 4; ++t) {
    writers.emplace_back([&directory, t] {
      for (unsigned i = 0; i < 50; ++i) {
        const unsigned number = t * 50 + i;
        directory.Publish(User(std::to_string(number), "u" + std::to_string(number), number));
      }
    });
  }
  writers.clear();
  EXPECT_EQ(directory.List().size(), 200U);
}

}  // namespace
}  // namespace hallmark
