// What happens to a key between its creation and its end.
#include "service/app/usage_flush.h"
#include "tests/service/app/operations_fixture.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::app {
namespace {

class KeyLifeTest : public OperationsTest {};

TEST_F(KeyLifeTest, ADisableThatWasAnsweredStopsEveryCallThatIsStillQueued) {
  const std::string key = CreateKey();
  auto busy = Occupy(key);
  std::vector<std::unique_ptr<Pending<v1::GenerateMacRequest, v1::GenerateMacResponse>>> queued;
  for (int i = 0; i < 20; ++i) queued.push_back(StartMac(key));
  EXPECT_THAT(DisableKey(key), IsOk());
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  for (const auto& call : queued) {
    EXPECT_THAT(call->answer.get(), Raises(Exception::kDisabledException));
  }
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0U);
}

TEST_F(KeyLifeTest, AScheduledDeletionThatWasAnsweredStopsEveryCallThatIsStillQueued) {
  const std::string key = CreateKey();
  auto busy = Occupy(key);
  auto queued = StartMac(key);
  EXPECT_THAT(ScheduleKeyDeletion(key), IsOk());
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  EXPECT_THAT(queued->answer.get(), Raises(Exception::kKMSInvalidStateException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0U);
}

// Callers hammer a slow token while the key is switched off and on. A call that begins after the
// answer to DisableKey, and ends before EnableKey is asked for, must not succeed.
TEST_F(KeyLifeTest, NoCallThatBeginsAfterADisableWasAnsweredSucceedsByTheKey) {
  const std::string key = CreateKey();
  EXPECT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .times = 0, .delay = std::chrono::milliseconds(2)});
  std::atomic<bool> stop{false};
  std::atomic<int> epoch{0};  // odd: disabled, and said so
  std::atomic<int> violations{0};
  std::atomic<int> refused{0};
  std::vector<std::jthread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        const int before = epoch;
        const Status status = Mac(key);
        if (before % 2 == 1 && before == epoch) (status.has_value() ? violations : refused)++;
      }
    });
  }
  for (int i = 0; i < 30; ++i) {
    EXPECT_THAT(DisableKey(key), IsOk());
    const int seen = refused;
    ++epoch;
    while (refused - seen < 4) std::this_thread::yield();
    ++epoch;
    EXPECT_THAT(EnableKey(key), IsOk());
  }
  stop = true;
  callers.clear();
  EXPECT_EQ(violations, 0);
  EXPECT_GE(refused, 120);
}

TEST_F(KeyLifeTest, ConcurrentChangesOfOneKeyAreAllMade) {
  const std::string key = CreateKey();
  std::vector<std::unique_ptr<Pending<v1::TagResourceRequest, v1::TagResourceResponse>>> tags;
  for (int i = 0; i < 40; ++i) {
    v1::TagResourceRequest request;
    request.set_key_id(key);
    request.add_tags()->set_tag_key("t" + std::to_string(i));
    request.mutable_tags(0)->set_tag_value("v");
    tags.push_back(Start<v1::TagResourceResponse>(Operation::kTagResource, request));
  }
  v1::UpdateKeyDescriptionRequest describe;
  describe.set_key_id(key);
  describe.set_description("new");
  auto described =
      Start<v1::UpdateKeyDescriptionResponse>(Operation::kUpdateKeyDescription, describe);
  for (const auto& call : tags) EXPECT_THAT(call->answer.get(), IsOk());
  EXPECT_THAT(described->answer.get(), IsOk());
  const KeyViewPtr view = keys_.Find(*KeyId::Parse(key));
  EXPECT_EQ(view->tags.size(), 40U);
  EXPECT_EQ(view->key.description, "new");
  EXPECT_EQ(store_->Load()->tags.size(), 40U);
}

TEST_F(KeyLifeTest, WhatIsPublishedIsWhatIsStored) {
  const std::string key = CreateKey();
  EXPECT_THAT(TagResource(key, "a", "1"), IsOk());
  EXPECT_THAT(TagResource(key, "b", "1"), IsOk());
  EXPECT_THAT(TagResource(key, "a", "2"), IsOk());
  EXPECT_THAT(CreateAlias("alias/one", key), IsOk());
  EXPECT_THAT(DisableKey(key), IsOk());
  const KeyViewPtr view = keys_.Find(*KeyId::Parse(key));
  const StoreImage image = *store_->Load();
  ASSERT_EQ(image.keys.size(), 1U);
  EXPECT_EQ(image.keys.front(), view->key);
  ASSERT_EQ(image.tags.size(), 2U);
  for (const TagRecord& stored : image.tags) {
    const TagRecord& shown = view->tags.at(stored.position);
    EXPECT_EQ(shown.tag_key, stored.tag_key);
    EXPECT_EQ(shown.tag_value, stored.tag_value);
    EXPECT_EQ(shown.revision, stored.revision);
  }
  // The next change of each builds on it.
  EXPECT_THAT(TagResource(key, "a", "3"), IsOk());
  EXPECT_THAT(EnableKey(key), IsOk());
}

TEST_F(KeyLifeTest, AChangeThatChangesNothingWritesNothing) {
  const std::string key = CreateKey();
  EXPECT_THAT(TagResource(key, "a", "1"), IsOk());
  const Revision before = store_->Load()->meta.revision;
  EXPECT_THAT(EnableKey(key), IsOk());
  EXPECT_THAT(TagResource(key, "a", "1"), IsOk());
  EXPECT_EQ(store_->Load()->meta.revision, before);
}

TEST_F(KeyLifeTest, TheLastSuccessfulUseIsKnownAtOnceAndStoredByTheFlush) {
  const std::string key = CreateKey();
  const auto usage = [&] {
    v1::GetKeyLastUsageRequest request;
    request.set_key_id(key);
    v1::GetKeyLastUsageResponse response;
    EXPECT_THAT(Call(Operation::kGetKeyLastUsage, request, &response), IsOk());
    return response;
  };
  EXPECT_TRUE(usage().has_key_last_usage());
  EXPECT_FALSE(usage().key_last_usage().has_operation());

  EXPECT_THAT(Mac(key), IsOk());
  EXPECT_EQ(usage().key_last_usage().operation(),
            v1::KEY_LAST_USAGE_TRACKING_OPERATION_GENERATE_MAC);
  EXPECT_TRUE(store_->Load()->last_usages.empty());
  EXPECT_THAT(FlushUsage(last_usage_, keys_, *store_), IsOk());
  ASSERT_EQ(store_->Load()->last_usages.size(), 1U);

  // Refusals, dry runs and wrong MACs are no uses.
  const std::string noted = usage().key_last_usage().SerializeAsString();
  v1::VerifyMacRequest wrong;
  wrong.set_key_id(key);
  wrong.set_message("Hello");
  wrong.set_mac("wrong");
  wrong.set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
  EXPECT_THAT(Call<v1::VerifyMacResponse>(Operation::kVerifyMac, wrong),
              Raises(Exception::kKMSInvalidMacException));
  v1::GenerateMacRequest dry = MacRequest(key);
  dry.set_dry_run(true);
  EXPECT_THAT(Call<v1::GenerateMacResponse>(Operation::kGenerateMac, dry),
              Raises(Exception::kDryRunOperationException));
  EXPECT_EQ(usage().key_last_usage().SerializeAsString(), noted);

  // Once stored, the next flush has nothing to write, and after the next use it has.
  const Revision before = store_->Load()->meta.revision;
  EXPECT_THAT(FlushUsage(last_usage_, keys_, *store_), IsOk());
  EXPECT_EQ(store_->Load()->meta.revision, before);
  EXPECT_THAT(Mac(key), IsOk());
  EXPECT_THAT(FlushUsage(last_usage_, keys_, *store_), IsOk());
  EXPECT_EQ(store_->Load()->meta.revision, before + 1);
}

TEST_F(KeyLifeTest, TheQuotaOfKeysCountsThoseThatAreBeingMade) {
  std::vector<std::unique_ptr<Pending<v1::CreateKeyRequest, v1::CreateKeyResponse>>> calls;
  for (int i = 0; i < 8; ++i) {
    calls.push_back(Start<v1::CreateKeyResponse>(Operation::kCreateKey, NewHmac256()));
  }
  int made = 0;
  for (const auto& call : calls) {
    const Status status = call->answer.get();
    if (status) {
      ++made;
    } else {
      EXPECT_THAT(status, Raises(Exception::kLimitExceededException));
    }
  }
  EXPECT_EQ(made, 5);  // of the fixture's account
  EXPECT_THAT(Call<v1::CreateKeyResponse>(Operation::kCreateKey, NewHmac256()),
              RaisesWith(Exception::kLimitExceededException,
                         "Keys per account quota is 5, current usage is 5."));
  EXPECT_EQ(store_->Load()->keys.size(), 5U);
}

TEST_F(KeyLifeTest, PoliciesJudgeTheSpecThatIsMade) {
  caller_ = AddCaller("Limited", R"({"Version":"2012-10-17","Statement":[
      {"Effect":"Allow","Action":"kms:CreateKey","Resource":"*"},
      {"Effect":"Deny","Action":"kms:CreateKey","Resource":"*",
       "Condition":{"StringEquals":{"kms:KeySpec":"HMAC_224"}}}]})");
  v1::CreateKeyRequest request;
  request.set_key_usage(v1::KEY_USAGE_GENERATE_VERIFY_MAC);
  request.set_customer_master_key_spec(v1::KEY_SPEC_HMAC_224);
  // Present, and without a value.
  request.set_key_spec(v1::KEY_SPEC_UNSPECIFIED);
  EXPECT_THAT(Call<v1::CreateKeyResponse>(Operation::kCreateKey, request),
              Raises(Exception::kAccessDeniedException));
  request.set_key_spec(v1::KEY_SPEC_HMAC_256);
  request.clear_customer_master_key_spec();
  EXPECT_THAT(Call<v1::CreateKeyResponse>(Operation::kCreateKey, request), IsOk());
}

TEST_F(KeyLifeTest, AKeyIsMadeWithItsTagsOrNotAtAll) {
  v1::CreateKeyRequest request = NewHmac256();
  for (int i = 0; i < 51; ++i) {
    request.add_tags()->set_tag_key(std::to_string(i));
    request.mutable_tags(i)->set_tag_value("");
  }
  EXPECT_THAT(Call<v1::CreateKeyResponse>(Operation::kCreateKey, request),
              RaisesWith(Exception::kTagException, "Too many tags"));
  EXPECT_TRUE(store_->Load()->keys.empty());
  request.mutable_tags()->RemoveLast();
  FaultList::Arm({.function = "C_GenerateKey", .rv = CKR_DEVICE_MEMORY, .times = 1});
  EXPECT_THAT(Call<v1::CreateKeyResponse>(Operation::kCreateKey, request),
              Raises(Exception::kDependencyTimeoutException));
  EXPECT_TRUE(store_->Load()->tags.empty());
  EXPECT_THAT(Call<v1::CreateKeyResponse>(Operation::kCreateKey, request), IsOk());
  EXPECT_EQ(store_->Load()->tags.size(), 50U);
}

TEST_F(KeyLifeTest, RandomBytesComeFromTheToken) {
  v1::GenerateRandomRequest request;
  request.set_number_of_bytes(1024);
  v1::GenerateRandomResponse first;
  v1::GenerateRandomResponse second;
  FaultList::ResetCalls();
  EXPECT_THAT(Call(Operation::kGenerateRandom, request, &first), IsOk());
  EXPECT_THAT(Call(Operation::kGenerateRandom, request, &second), IsOk());
  EXPECT_EQ(FaultList::Calls("C_GenerateRandom"), 2U);
  EXPECT_EQ(first.plaintext().size(), 1024U);
  EXPECT_NE(first.plaintext(), second.plaintext());
  FaultList::Arm({.function = "C_GenerateRandom", .rv = CKR_DATA_INVALID, .times = 1});
  EXPECT_THAT(Call<v1::GenerateRandomResponse>(Operation::kGenerateRandom, request),
              Raises(Exception::kDependencyTimeoutException));
}

TEST_F(KeyLifeTest, ATokenThatHangsHoldsUpNoRevocation) {
  const std::string key = CreateKey();
  FaultList::Arm({.function = "C_GenerateRandom", .times = 0, .hang = true});
  v1::GenerateRandomRequest request;
  request.set_number_of_bytes(1);
  std::vector<std::unique_ptr<Pending<v1::GenerateRandomRequest, v1::GenerateRandomResponse>>> hung;
  for (int i = 0; i < 2 * kControlThreads; ++i) {
    hung.push_back(Start<v1::GenerateRandomResponse>(Operation::kGenerateRandom, request));
  }
  EXPECT_TRUE(FaultList::WaitForHanging(1, 10s));
  v1::DisableKeyRequest disable;
  disable.set_key_id(key);
  auto disabled = Start<v1::DisableKeyResponse>(Operation::kDisableKey, disable);
  EXPECT_EQ(disabled->answer.wait_for(10s), std::future_status::ready);
  FaultList::Disarm();
  EXPECT_THAT(disabled->answer.get(), IsOk());
  for (const auto& call : hung) call->answer.wait();
}

TEST_F(KeyLifeTest, MarkersServeOnlyTheListTheyCameFrom) {
  const std::string key = CreateKey();
  CreateKey();
  EXPECT_THAT(CreateAlias("alias/a", key), IsOk());
  EXPECT_THAT(CreateAlias("alias/b", key), IsOk());
  v1::ListAliasesRequest of_key;
  of_key.set_key_id(key);
  of_key.set_limit(1);
  v1::ListAliasesResponse page;
  EXPECT_THAT(Call(Operation::kListAliases, of_key, &page), IsOk());
  ASSERT_TRUE(page.truncated());
  const std::string marker = page.next_marker();

  of_key.set_marker(marker);
  EXPECT_THAT(Call(Operation::kListAliases, of_key, &page), IsOk());
  EXPECT_EQ(page.aliases(0).alias_name(), "alias/b");
  EXPECT_FALSE(page.truncated());
  EXPECT_FALSE(page.has_next_marker());

  v1::ListAliasesRequest of_account;  // another filter
  of_account.set_marker(marker);
  EXPECT_THAT(Call<v1::ListAliasesResponse>(Operation::kListAliases, of_account),
              RaisesWith(Exception::kInvalidMarkerException, ""));
  v1::ListKeysRequest keys;  // another operation
  keys.set_marker(marker);
  EXPECT_THAT(Call<v1::ListKeysResponse>(Operation::kListKeys, keys),
              Raises(Exception::kInvalidMarkerException));
  for (std::size_t i = 0; i < marker.size(); ++i) {  // altered
    std::string altered = marker;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    of_key.set_marker(altered);
    EXPECT_THAT(Call<v1::ListAliasesResponse>(Operation::kListAliases, of_key),
                Raises(Exception::kInvalidMarkerException));
  }
  engine_->store_id = "another history";
  of_key.set_marker(marker);
  EXPECT_THAT(Call<v1::ListAliasesResponse>(Operation::kListAliases, of_key),
              Raises(Exception::kInvalidMarkerException));
}

}  // namespace
}  // namespace hallmark::app
