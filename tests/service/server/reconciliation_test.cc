#include "service/server/reconciliation.h"

#include "tests/support/absent_hsm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kUs = "instance of now";
constexpr const char* kGone = "instance that was killed";

CkaId Cka(unsigned char n) {
  CkaId id{};
  id.fill(std::byte{n});
  return id;
}

KeyId Key(unsigned char n) {
  std::array<std::byte, 16> random{};
  random.fill(std::byte{n});
  return KeyId::FromRandom(random);
}

Bytes ToBytes(const CkaId& id) { return {id.begin(), id.end()}; }

// Holds ids of objects; everything else of the port is out of its reach.
class ObjectList final : public testing::AbsentHsm {
 public:
  explicit ObjectList(std::vector<CkaId> objects) {
    for (const CkaId& id : objects) objects_.insert(ToBytes(id));
  }
  bool available() const override { return true; }
  Status DestroyKey(const CkaId& id, SteadyTime deadline) override {
    if (failing) return AbsentHsm::DestroyKey(id, deadline);
    destroyed.push_back(id);
    objects_.erase(ToBytes(id));
    return {};
  }
  std::vector<Bytes> ListKeys() const override { return {objects_.begin(), objects_.end()}; }

  bool failing = false;
  std::vector<CkaId> destroyed;

 private:
  std::set<Bytes> objects_;
};

// Notes the commits, refuses what a store would refuse.
class CommitList final : public KeyStore {
 public:
  Result<StoreImage> Load() override { return Fail(Exception::kUnsupportedOperationException); }
  Result<Revision> Commit(std::span<const StoreWrite> writes) override {
    if (failing) return Fail(Exception::kDependencyTimeoutException, "disk full");
    commits.emplace_back(writes.begin(), writes.end());
    return Revision{100 + commits.size()};
  }

  bool failing = false;
  std::vector<std::vector<StoreWrite>> commits;
};

class StoppedClock final : public Clock {
 public:
  WallTime Now() const override { return {}; }
  SteadyTime SteadyNow() const override { return {}; }
};

class ReconciliationTest : public ::testing::Test {
 protected:
  ReconciliationTest() {
    image_.meta = {"store", {"aws", "us-west-2"}, 50};
    image_.tokens.push_back({.token_id = "main", .anchor_cka_id = Cka(200)});
  }

  void AddKey(unsigned char n, BindingState state, const char* creator) {
    image_.keys.push_back({Key(n), account_, KeySpec::kHmac256});
    image_.keys.back().revision = n;
    image_.materials.push_back({.key_id = Key(n), .revision = n});
    image_.bindings.push_back({.key_id = Key(n),
                               .token_id = "main",
                               .cka_id = Cka(n),
                               .state = state,
                               .creator_instance = creator,
                               .revision = n});
  }

  ReconciliationReport Run(ObjectList& token) {
    auto report = Reconcile(image_, kUs, token, store_, clock_,
                            [this](const std::string& text) { notices_.push_back(text); });
    EXPECT_TRUE(report.has_value());
    return report.has_value() ? *report : ReconciliationReport{};
  }

  const AccountId account_ = *AccountId::Parse("111122223333");
  StoreImage image_;
  CommitList store_;
  StoppedClock clock_;
  std::vector<std::string> notices_;
};

TEST_F(ReconciliationTest, AnAbandonedCreationIsDestroyedOnTheTokenAndForgotten) {
  AddKey(1, BindingState::kReady, kGone);
  AddKey(2, BindingState::kCreating, kGone);
  image_.client_tokens.push_back({"p", "t", "h", Key(2), 7});
  image_.client_tokens.push_back({"p", "u", "h", Key(1), 8});
  ObjectList token({Cka(1), Cka(2), Cka(200)});

  EXPECT_EQ(Run(token).rolled_back, 1U);
  EXPECT_THAT(token.destroyed, ElementsAre(Cka(2)));
  ASSERT_THAT(store_.commits, SizeIs(1));
  EXPECT_THAT(store_.commits[0], SizeIs(4));  // binding, material, key, client token
  for (const StoreWrite& write : store_.commits[0])
    EXPECT_EQ(write.kind, StoreWrite::Kind::kRemove);
  EXPECT_THAT(image_.keys, SizeIs(1));
  EXPECT_THAT(image_.bindings, SizeIs(1));
  EXPECT_THAT(image_.client_tokens, SizeIs(1));
}

TEST_F(ReconciliationTest, AnAbandonedCreationWithoutAnObjectIsForgottenToo) {
  AddKey(2, BindingState::kCreating, kGone);
  ObjectList token({Cka(200)});
  EXPECT_EQ(Run(token).rolled_back, 1U);
  EXPECT_THAT(image_.keys, IsEmpty());
}

TEST_F(ReconciliationTest, ACreationOfThisInstanceIsLeftAlone) {
  AddKey(2, BindingState::kCreating, kUs);
  ObjectList token({Cka(2), Cka(200)});
  EXPECT_EQ(Run(token).rolled_back, 0U);
  EXPECT_THAT(token.destroyed, IsEmpty());
  EXPECT_THAT(store_.commits, IsEmpty());
}

TEST_F(ReconciliationTest, ACreationOnAnotherTokenIsLeftAlone) {
  AddKey(2, BindingState::kCreating, kGone);
  image_.bindings[0].token_id = "another";
  ObjectList token({Cka(200)});
  EXPECT_EQ(Run(token).rolled_back, 0U);
  EXPECT_THAT(token.destroyed, IsEmpty());
}

TEST_F(ReconciliationTest, AKeyWithACloneOfTheSameIdOnAnotherTokenKeepsItsRecords) {
  AddKey(1, BindingState::kCreating, kGone);
  BindingRecord clone = image_.bindings.front();
  clone.token_id = "other";
  clone.state = BindingState::kReady;
  image_.bindings.push_back(clone);
  ObjectList token({Cka(1)});
  EXPECT_EQ(Run(token).rolled_back, 1u);
  ASSERT_EQ(image_.bindings.size(), 1u);
  EXPECT_EQ(image_.bindings.front().token_id, "other");
  EXPECT_EQ(image_.keys.size(), 1u);
  ASSERT_EQ(store_.commits.size(), 1u);
  EXPECT_EQ(store_.commits.front().size(), 1u);
}

TEST_F(ReconciliationTest, AnObjectThatIsNotOursIsNotDestroyedWithItsRecord) {
  AddKey(2, BindingState::kCreating, kGone);
  image_.bindings[0].owned = false;
  ObjectList token({Cka(2), Cka(200)});
  EXPECT_EQ(Run(token).rolled_back, 1U);
  EXPECT_THAT(token.destroyed, IsEmpty());
}

TEST_F(ReconciliationTest, TheRecordStaysWhileItsObjectCannotBeDestroyed) {
  AddKey(2, BindingState::kCreating, kGone);
  ObjectList token({Cka(2), Cka(200)});
  token.failing = true;
  EXPECT_EQ(Run(token).left_open, 1U);
  EXPECT_THAT(store_.commits, IsEmpty());
  EXPECT_THAT(image_.bindings, SizeIs(1));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("The token is absent")));
}

TEST_F(ReconciliationTest, AStoreThatCannotBeWrittenIsAnError) {
  AddKey(2, BindingState::kCreating, kGone);
  ObjectList token({Cka(200)});
  store_.failing = true;
  EXPECT_FALSE(
      Reconcile(image_, kUs, token, store_, clock_, [](const std::string&) {}).has_value());
}

TEST_F(ReconciliationTest, AnObjectWithoutARecordIsCountedAndNeverDestroyed) {
  ObjectList token({Cka(9), Cka(200)});
  EXPECT_EQ(Run(token).orphans, 1U);
  EXPECT_THAT(token.destroyed, IsEmpty());
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("0909090909090909")));
}

TEST_F(ReconciliationTest, TheAnchorIsNoOrphan) {
  ObjectList token({Cka(200)});
  EXPECT_EQ(Run(token).orphans, 0U);
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(ReconciliationTest, AnEmptyTokenMakesNoKeyForgotten) {
  AddKey(1, BindingState::kReady, kGone);
  ObjectList token({});
  EXPECT_EQ(Run(token).missing, 1U);
  EXPECT_THAT(store_.commits, IsEmpty());
  EXPECT_THAT(image_.keys, SizeIs(1));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("the key stays")));
}

TEST_F(ReconciliationTest, OnlyKeysWithAReadyBindingArePublished) {
  AddKey(1, BindingState::kReady, kGone);
  AddKey(2, BindingState::kCreating, kUs);
  image_.aliases.push_back({account_, "alias/one", Key(1)});
  image_.aliases.push_back({account_, "alias/two", Key(2)});
  KeyDirectory keys;
  PolicyCache policies;
  ASSERT_TRUE(LoadKeys(image_, policies, keys).has_value());
  const KeyViewPtr view = keys.Find(Key(1));
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(view->arn, "arn:aws:kms:us-west-2:111122223333:key/" + Key(1).ToString());
  EXPECT_THAT(view->bindings, SizeIs(1));
  EXPECT_EQ(keys.Find(Key(2)), nullptr);
  EXPECT_TRUE(keys.FindAlias(account_, "alias/one").has_value());
  EXPECT_FALSE(keys.FindAlias(account_, "alias/two").has_value());
}

TEST_F(ReconciliationTest, GrantsComeWithTheirKeys) {
  AddKey(1, BindingState::kReady, kGone);
  AddKey(2, BindingState::kReady, kGone);
  const auto add_grant = [&](std::uint8_t n, std::uint8_t key) {
    std::array<std::byte, 32> id{};
    id[0] = static_cast<std::byte>(n);
    image_.grants.push_back({.id = GrantId::FromRandom(id),
                             .key_id = Key(key),
                             .grantee_id = "AIDA",
                             .grantee = "arn",
                             .retiring_id = "AIDA",
                             .issuing_account = account_});
  };
  add_grant(1, 1);
  add_grant(2, 2);
  add_grant(3, 1);
  KeyDirectory keys;
  PolicyCache policies;
  ASSERT_TRUE(LoadKeys(image_, policies, keys).has_value());
  EXPECT_EQ(keys.Find(Key(1))->grants.size(), 2U);
  EXPECT_EQ(keys.Find(Key(2))->grants.size(), 1U);
  EXPECT_THAT(keys.ListRetirableGrants("AIDA", std::nullopt, 10), SizeIs(3));
}

TEST_F(ReconciliationTest, AClientTokenWhoseKeyIsNotPublishedIsNoAnswer) {
  AddKey(1, BindingState::kReady, kGone);
  AddKey(2, BindingState::kCreating, kGone);
  image_.client_tokens.push_back({"p", "finished", "h", Key(1), 7});
  image_.client_tokens.push_back({"p", "left open", "h", Key(2), 8});
  KeyDirectory keys;
  PolicyCache policies;
  ASSERT_TRUE(LoadKeys(image_, policies, keys).has_value());
  ClientTokens tokens;
  LoadClientTokens(image_, keys, tokens);
  EXPECT_EQ(tokens.Find("p", "finished"), Key(1));
  EXPECT_EQ(tokens.Find("p", "left open"), std::nullopt);
}

TEST(RemoveUnusedPoliciesTest, LeavesThoseThatAKeyOrAPrincipalHas) {
  StoreImage image;
  for (const char* hash : {"of a key", "of a user", "boundary", "old"}) {
    image.policies.push_back({.hash = hash, .document = "{}"});
  }
  KeyRecord key{
      .id = Key(1), .account = *AccountId::Parse("111122223333"), .spec = KeySpec::kHmac256};
  key.policy_hash = "of a key";
  image.keys.push_back(key);
  PrincipalRecord user{
      .unique_id = "u",
      .arn = *PrincipalArn::Parse("arn:aws:iam::111122223333:user/u", {"aws", "us-west-2"})};
  user.policy_hash = "of a user";
  user.boundary_hash = "boundary";
  image.principals.push_back(user);
  CommitList store;
  EXPECT_TRUE(RemoveUnusedPolicies(image, store).has_value());
  ASSERT_THAT(store.commits, SizeIs(1));
  EXPECT_THAT(store.commits[0], SizeIs(1));
  std::erase_if(image.policies, [](const PolicyRecord& policy) { return policy.hash == "old"; });
  EXPECT_TRUE(RemoveUnusedPolicies(image, store).has_value());
  EXPECT_THAT(store.commits, SizeIs(1));
}

}  // namespace
}  // namespace hallmark::service
