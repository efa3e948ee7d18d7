#include "service/authn/signature_marks.h"

#include "keystate/store/sqlite_store.h"
#include "service/system/system.h"
#include "tests/service/authn/signed_requests.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::authn {
namespace {

using hallmark::testing::IsOk;
using namespace std::chrono_literals;

class SignatureMarksTest : public ::testing::Test {
 protected:
  SignatureMarksTest() {
    auto store =
        store::SqliteStore::Open(directory_.path(), {"aws", std::string(kRegion)}, random_);
    EXPECT_THAT(store, IsOk());
    store_ = *std::move(store);
  }

  // A service that begins now.
  std::unique_ptr<StoredSignatureMarks> Begin(WallTime now) {
    return std::make_unique<StoredSignatureMarks>(*store_, Stored(), now);
  }
  std::vector<SignatureMarkRecord> Stored() { return store_->Load()->signature_marks; }

  const hallmark::testing::TemporaryDirectory directory_;
  service::OsRandom random_;
  std::unique_ptr<KeyStore> store_;
};

TEST_F(SignatureMarksTest, NothingCountsUpToTheSecondOfTheStart) {
  EXPECT_EQ(Begin(kNoon + 900ms)->UsedUntil("a"), kNoon);
}

TEST_F(SignatureMarksTest, TheServiceAfterThisOneKnowsWhatWasSignedAheadAndByWhom) {
  EXPECT_THAT(Begin(kNoon)->Raise("a", kNoon + 4min), IsOk());
  const auto next = Begin(kNoon + 10s);
  EXPECT_GE(next->UsedUntil("a"), kNoon + 4min);
  EXPECT_LE(next->UsedUntil("a"), kNoon + 4min + StoredSignatureMarks::kStep);
  EXPECT_EQ(next->UsedUntil("b"), kNoon + 10s);
}

TEST_F(SignatureMarksTest, AMarkIsNeverLoweredAndCostsACommitOnlyNowAndThen) {
  const auto marks = Begin(kNoon);
  EXPECT_THAT(marks->Raise("a", kNoon + 100s), IsOk());
  const auto first = Stored();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_THAT(marks->Raise("a", kNoon + 50s), IsOk());
  EXPECT_THAT(marks->Raise("a", kNoon + 100s + StoredSignatureMarks::kStep), IsOk());
  EXPECT_EQ(Stored().at(0).revision, first[0].revision);
  EXPECT_THAT(marks->Raise("a", kNoon + 101s + StoredSignatureMarks::kStep), IsOk());
  EXPECT_GE(Stored().at(0).until, kNoon + 101s + StoredSignatureMarks::kStep);
}

TEST_F(SignatureMarksTest, PastMarksLeaveTheStoreAndMayBeMadeAgain) {
  EXPECT_THAT(Begin(kNoon)->Raise("a", kNoon + 10s), IsOk());
  EXPECT_THAT(Begin(kNoon)->Raise("b", kNoon + 4min), IsOk());
  const auto later = Begin(kNoon + 1min);
  EXPECT_THAT(later->RemovePast(), IsOk());
  ASSERT_EQ(Stored().size(), 1U);
  EXPECT_EQ(Stored()[0].access_key_id, "b");
  EXPECT_THAT(later->Raise("a", kNoon + 2min), IsOk());
  EXPECT_THAT(later->Raise("b", kNoon + 5min), IsOk());
  EXPECT_EQ(Stored().size(), 2U);
}

}  // namespace
}  // namespace hallmark::authn
