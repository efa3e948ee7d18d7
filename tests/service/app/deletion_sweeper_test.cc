#include "service/app/deletion_sweeper.h"

#include "service/app/usage_flush.h"
#include "tests/service/app/operations_fixture.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace hallmark::app {
namespace {

using ::testing::HasSubstr;
using Event = DeletionSweeper::Event;

// The store, with something that happens just before a commit.
class HookedStore final : public KeyStore {
 public:
  explicit HookedStore(KeyStore& store) : store_(store) {}
  Result<StoreImage> Load() override { return store_.Load(); }
  Result<Revision> Commit(std::span<const StoreWrite> writes) override {
    if (const auto hook = std::exchange(before_commit, nullptr)) hook(writes);
    return store_.Commit(writes);
  }

  std::function<void(std::span<const StoreWrite>)> before_commit;

 private:
  KeyStore& store_;
};

// Takes records while it is told so.
class SwitchedSink final : public AuditSink {
 public:
  class OneSlot final : public Slot {
   public:
    explicit OneSlot(std::vector<std::string>& names) : names_(names) {}
    Status Write(const AuditEvent& event, const Status& /*outcome*/) override {
      names_.push_back(std::string(event.name) + " " + std::string(event.key_arn));
      return {};
    }

   private:
    std::vector<std::string>& names_;
  };

  Result<std::unique_ptr<Slot>> Reserve(const google::protobuf::Message* /*request*/) override {
    if (!takes) return Fail(Exception::kKMSInternalException, "full");
    return std::unique_ptr<Slot>(std::make_unique<OneSlot>(names));
  }

  bool takes = true;
  std::vector<std::string> names;
};

class DeletionSweeperTest : public OperationsTest {
 protected:
  DeletionSweeperTest() { Restart(); }

  // A sweeper as a new run of the daemon makes it.
  void Restart() {
    sweeper_ = std::make_unique<DeletionSweeper>(
        DeletionSweeper::Parts{keys_, client_tokens_, last_usage_, hooked_, *tokens_, clock_,
                               &audit_},
        *store_->Load(), [this](Event event, const std::string& text) {
          events_.push_back(event);
          texts_.push_back(text);
        });
  }
  SwitchedSink audit_;
  void Sweep() { sweeper_->Sweep(std::stop_token()); }
  // Lets time pass as a running daemon sees it: the steady clock moves on, too.
  void Live(std::chrono::milliseconds time) {
    clock_.ahead += time.count();
    clock_.steady_ahead += time.count();
  }
  bool OnToken(const CkaId& id) const {
    const auto listed = open_.hsm->ListKeys();
    return std::find(listed.begin(), listed.end(), Bytes(id.begin(), id.end())) != listed.end();
  }
  CkaId CkaIdOf(const std::string& key) const {
    return keys_.Find(*KeyId::Parse(key))->bindings.front().cka_id;
  }
  void AddGrant(const std::string& key) {
    auto next = std::make_shared<KeyView>(*keys_.Find(*KeyId::Parse(key)));
    const GrantRecord grant{.id = GrantId::FromRandom({}),
                            .key_id = next->key.id,
                            .grantee_id = "AIDA",
                            .grantee = "arn:aws:iam::111122223333:user/u",
                            .retiring_id = "AIDA",
                            .retiring = "arn:aws:iam::111122223333:user/u",
                            .issuing_account = next->key.account,
                            .operations = OneOperation()};
    const auto revision = store_->Commit(std::vector<StoreWrite>{Put(grant), Put(next->key)});
    ASSERT_THAT(revision, IsOk());
    next->key.revision = *revision;
    next->grants = next->grants.With(grant);
    keys_.Publish(next);
  }
  static GrantOperations OneOperation() {
    GrantOperations operations;
    operations.Add(Operation::kGenerateMac);
    return operations;
  }
  std::string ScheduledKey() {
    std::string key = CreateKey();
    EXPECT_THAT(ScheduleKeyDeletion(key), IsOk());
    return key;
  }
  int Count(Event event) const {
    return static_cast<int>(std::count(events_.begin(), events_.end(), event));
  }

  HookedStore hooked_{*store_};
  std::unique_ptr<DeletionSweeper> sweeper_;
  std::vector<Event> events_;
  std::vector<std::string> texts_;
};

TEST_F(DeletionSweeperTest, AKeyEndsWithEverythingThatBelongsToItWhenItsWindowIsOver) {
  const std::string kept = CreateKey();
  v1::CreateKeyRequest request = NewHmac256();
  request.set_client_token("token");
  v1::CreateKeyResponse created;
  EXPECT_THAT(Call(Operation::kCreateKey, request, &created), IsOk());
  const std::string key = created.key_metadata().key_id();
  EXPECT_THAT(CreateAlias("alias/one", key), IsOk());
  EXPECT_THAT(TagResource(key, "a", "b"), IsOk());
  AddGrant(key);
  AddGrant(kept);
  EXPECT_THAT(Mac(key), IsOk());
  EXPECT_THAT(FlushUsage(last_usage_, keys_, *store_), IsOk());
  EXPECT_THAT(ScheduleKeyDeletion(key), IsOk());
  const CkaId object = CkaIdOf(key);
  const std::string arn = created.key_metadata().arn();

  Sweep();
  Live(7 * 24h - 1min);
  Sweep();
  EXPECT_TRUE(OnToken(object));
  EXPECT_THAT(Mac(key), Raises(Exception::kKMSInvalidStateException));
  Live(1min);
  Sweep();

  EXPECT_FALSE(OnToken(object));
  EXPECT_TRUE(OnToken(CkaIdOf(kept)));
  EXPECT_THAT(Mac(key), Raises(Exception::kNotFoundException));
  EXPECT_THAT(Mac("alias/one"), Raises(Exception::kNotFoundException));
  EXPECT_THAT(Mac(kept), IsOk());
  const StoreImage image = *store_->Load();
  EXPECT_EQ(image.keys.size(), 1U);
  EXPECT_EQ(image.materials.size(), 1U);
  EXPECT_EQ(image.bindings.size(), 1U);
  EXPECT_TRUE(image.aliases.empty());
  EXPECT_TRUE(image.tags.empty());
  ASSERT_EQ(image.grants.size(), 1U);
  EXPECT_EQ(image.grants[0].key_id.ToString(), kept);
  EXPECT_EQ(keys_.ListRetirableGrants("AIDA", std::nullopt, 10).size(), 1U);
  EXPECT_TRUE(image.client_tokens.empty());
  EXPECT_TRUE(image.last_usages.empty());
  EXPECT_EQ(events_, std::vector{Event::kDestroyed});
  EXPECT_EQ(audit_.names, std::vector{"DeleteKey " + arn});
  // The name is free again.
  EXPECT_THAT(CreateAlias("alias/one", kept), IsOk());
}

TEST_F(DeletionSweeperTest, AKeyWhoseEndCannotBeRecordedStays) {
  const std::string key = CreateKey();
  EXPECT_THAT(ScheduleKeyDeletion(key), IsOk());
  const CkaId object = CkaIdOf(key);
  Sweep();
  Live(7 * 24h);
  audit_.takes = false;
  Sweep();
  EXPECT_TRUE(OnToken(object));
  EXPECT_THAT(texts_.back(), HasSubstr("is not destroyed before that can be recorded"));
  EXPECT_THAT(CancelKeyDeletion(key), IsOk());
  EXPECT_THAT(ScheduleKeyDeletion(key), IsOk());
  audit_.takes = true;
  Live(7 * 24h);
  Sweep();
  EXPECT_FALSE(OnToken(object));
}

TEST_F(DeletionSweeperTest, ACancelledDeletionIsNotCarriedOut) {
  const std::string key = ScheduledKey();
  Sweep();
  Live(8 * 24h);
  EXPECT_THAT(CancelKeyDeletion(key), IsOk());
  Sweep();
  EXPECT_THAT(EnableKey(key), IsOk());
  EXPECT_THAT(Mac(key), IsOk());
}

TEST_F(DeletionSweeperTest, ADeletionThatIsCancelledWhileOthersAreEndedIsNotCarriedOut) {
  const std::string keys[] = {ScheduledKey(), ScheduledKey()};
  Sweep();
  Live(8 * 24h);
  // At the commit of the time, then at that of the first key.
  std::string kept;
  hooked_.before_commit = [&](auto) {
    hooked_.before_commit = [&](std::span<const StoreWrite> writes) {
      const KeyId ended = std::get<KeyRecord>(writes.front().record).id;
      kept = ended.ToString() == keys[0] ? keys[1] : keys[0];
      EXPECT_THAT(CancelKeyDeletion(kept), IsOk());
      EXPECT_THAT(EnableKey(kept), IsOk());
    };
  };
  Sweep();
  ASSERT_FALSE(kept.empty());
  EXPECT_EQ(Count(Event::kDestroyed), 1);
  EXPECT_THAT(Mac(kept), IsOk());
  Sweep();
  EXPECT_THAT(Mac(kept), IsOk());
}

TEST_F(DeletionSweeperTest, AJumpOfTheClockHaltsItUntilItIsResumed) {
  const std::string key = ScheduledKey();
  const CkaId object = CkaIdOf(key);
  Sweep();
  clock_.ahead += std::chrono::milliseconds(8 * 24h).count();
  Sweep();
  Sweep();
  EXPECT_TRUE(OnToken(object));
  EXPECT_TRUE(sweeper_->state().halted);
  EXPECT_EQ(sweeper_->state().due, 1U);
  EXPECT_EQ(Count(Event::kHalted), 1);
  EXPECT_THAT(texts_.back(), HasSubstr("hallmark sweeper resume"));

  Restart();  // a restart does not make it forget
  Sweep();
  EXPECT_TRUE(OnToken(object));

  EXPECT_THAT(sweeper_->Resume(), IsOk());
  EXPECT_FALSE(sweeper_->state().halted);
  Sweep();
  EXPECT_FALSE(OnToken(object));
}

TEST_F(DeletionSweeperTest, AClockThatWasPutBackBringsNoDeletionNearer) {
  Sweep();
  engine_->time_seen = [this] { return sweeper_->time_seen(); };
  clock_.ahead -= std::chrono::milliseconds(23 * 24h).count();
  const std::string key = ScheduledKey();
  clock_.ahead += std::chrono::milliseconds(23 * 24h).count();
  Sweep();
  EXPECT_FALSE(sweeper_->state().halted);
  EXPECT_THAT(CancelKeyDeletion(key), IsOk());
}

TEST_F(DeletionSweeperTest, AJumpBackHaltsItToo) {
  ScheduledKey();
  Sweep();
  clock_.ahead -= std::chrono::milliseconds(61min).count();
  Sweep();
  EXPECT_TRUE(sweeper_->state().halted);
}

TEST_F(DeletionSweeperTest, ManySmallStepsOfTheClockAreOneLargeOne) {
  const std::string key = ScheduledKey();
  Sweep();
  for (int i = 0; i < 3; ++i) {
    clock_.ahead += std::chrono::milliseconds(25min).count();
    Sweep();
  }
  EXPECT_TRUE(sweeper_->state().halted);
}

TEST_F(DeletionSweeperTest, TimeThatNobodyWatchedIsAJumpIfItIsLong) {
  ScheduledKey();
  Sweep();
  Live(59min);
  Restart();
  Sweep();
  EXPECT_FALSE(sweeper_->state().halted);
  Live(61min);
  Restart();
  Sweep();
  EXPECT_TRUE(sweeper_->state().halted);
}

TEST_F(DeletionSweeperTest, AnEndedKeyIsDestroyedWhenItsTokenAnswersAgain) {
  const std::string key = ScheduledKey();
  const CkaId object = CkaIdOf(key);
  Sweep();
  Live(8 * 24h);
  FaultList::Arm({.function = "C_DestroyObject", .rv = CKR_DATA_INVALID, .times = 1});
  Sweep();
  EXPECT_EQ(Count(Event::kWaiting), 1);
  EXPECT_EQ(sweeper_->state().being_destroyed, 1U);
  EXPECT_TRUE(OnToken(object));
  // It has ended all the same, and a restart knows.
  EXPECT_THAT(CancelKeyDeletion(key), Raises(Exception::kNotFoundException));
  Restart();
  EXPECT_EQ(sweeper_->state().being_destroyed, 1U);
  Sweep();
  EXPECT_FALSE(OnToken(object));
  EXPECT_TRUE(store_->Load()->keys.empty());
  EXPECT_TRUE(store_->Load()->bindings.empty());
  EXPECT_EQ(sweeper_->state().being_destroyed, 0U);
}

TEST_F(DeletionSweeperTest, ACancellationAtTheSameMomentWinsOrLosesWhole) {
  Sweep();
  for (int i = 0; i < 5; ++i) {
    const std::string key = ScheduledKey();
    const CkaId object = CkaIdOf(key);
    Live(8 * 24h);
    v1::CancelKeyDeletionRequest request;
    request.set_key_id(key);
    auto cancelled = Start<v1::CancelKeyDeletionResponse>(Operation::kCancelKeyDeletion, request);
    Sweep();
    if (cancelled->answer.get()) {
      EXPECT_TRUE(OnToken(object));
      EXPECT_THAT(EnableKey(key), IsOk());
      EXPECT_THAT(Mac(key), IsOk());
      Sweep();
      EXPECT_TRUE(OnToken(object));
    } else {
      EXPECT_FALSE(OnToken(object));
      EXPECT_THAT(Mac(key), Raises(Exception::kNotFoundException));
    }
  }
}

}  // namespace
}  // namespace hallmark::app
