#include "pkcs11/key_handles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hallmark::pkcs11 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr CkaId kNobody{};
constexpr CK_OBJECT_HANDLE kHandle = 7;

CkaId OurId() {
  CkaId id{};
  id.front() = std::byte{1};
  return id;
}

Bytes AsListed(const CkaId& id) { return {id.begin(), id.end()}; }

// What a scan sees of a key that another thread is making: an object without a CKA_ID.
KeyScan SeesItHalfMade() {
  KeyScan scan;
  scan.keys.emplace_back(Bytes(), kHandle);
  return scan;
}

KeyEntry Made() {
  KeyEntry entry;
  entry.handle = kHandle;
  return entry;
}

TEST(KeyHandlesTest, AKeyThatIsMadeBesideAScanIsNoDebris) {
  KeyHandles handles;
  handles.BeginScan();
  handles.Add(OurId(), handles.generation(), Made());
  handles.Settle(kHandle);
  handles.FinishScan(SeesItHalfMade());
  EXPECT_THAT(handles.List(kNobody), ElementsAre(AsListed(OurId())));
}

TEST(KeyHandlesTest, NeitherIsOneThatIsFinishedAfterTheScan) {
  KeyHandles handles;
  const std::uint64_t before = handles.generation();
  handles.BeginScan();
  handles.FinishScan(SeesItHalfMade());
  EXPECT_THAT(handles.List(kNobody), ElementsAre(Bytes()));
  handles.Settle(kHandle);
  handles.Add(OurId(), before, Made());
  EXPECT_THAT(handles.List(kNobody), ElementsAre(AsListed(OurId())));
}

TEST(KeyHandlesTest, NorOneThatWasDestroyedAgain) {
  KeyHandles handles;
  handles.BeginScan();
  handles.Settle(kHandle);
  handles.FinishScan(SeesItHalfMade());
  EXPECT_THAT(handles.List(kNobody), IsEmpty());
}

TEST(KeyHandlesTest, DebrisStaysWhoeverElseIsSettled) {
  KeyHandles handles;
  handles.BeginScan();
  handles.Settle(kHandle + 1);
  handles.FinishScan(SeesItHalfMade());
  handles.Settle(CK_INVALID_HANDLE);
  EXPECT_THAT(handles.List(kNobody), ElementsAre(Bytes()));
}

TEST(KeyHandlesTest, AKeyIsLeftAloneUnlessItHasServedSince) {
  KeyHandles handles;
  handles.Add(OurId(), handles.generation(), Made());
  const std::uint64_t first = handles.Suspect(OurId());
  handles.Acquit(OurId(), first);
  const std::uint64_t second = handles.Suspect(OurId());
  EXPECT_FALSE(handles.LeaveAlone(OurId(), first, SteadyTime{}));
  EXPECT_TRUE(handles.LeaveAlone(OurId(), second, SteadyTime{}));
}

TEST(KeyHandlesTest, AScanEndsNoSuspicion) {
  KeyHandles handles;
  handles.Add(OurId(), handles.generation(), Made());
  const std::uint64_t suspicion = handles.Suspect(OurId());
  KeyScan scan;
  scan.keys.emplace_back(AsListed(OurId()), kHandle);
  handles.BeginScan();
  handles.FinishScan(scan);
  EXPECT_EQ(handles.Find(OurId())->entry.suspicion, suspicion);
}

TEST(KeyHandlesTest, AKeyThatIsGoneIsNotSuspected) {
  KeyHandles handles;
  EXPECT_EQ(handles.Suspect(OurId()), 0u);
}

}  // namespace
}  // namespace hallmark::pkcs11
