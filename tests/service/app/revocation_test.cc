// A permission that is taken away is gone when that is answered: no call that begins later succeeds
// by it, and none that is still queued reaches the token.
#include "tests/service/app/operations_fixture.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

struct Grant {
  std::string id;
  std::string token;
};

class RevocationTest : public OperationsTest {
 protected:
  std::string ArnOf(const std::string& name) const {
    return "arn:aws:iam::111122223333:user/" + name;
  }

  auto StartMacAs(const std::shared_ptr<const Principal>& caller, const std::string& key) {
    return StartAs<v1::GenerateMacResponse>(caller, Operation::kGenerateMac, MacRequest(key));
  }
  Status MacAs(const std::shared_ptr<const Principal>& caller, const std::string& key) {
    return StartMacAs(caller, key)->answer.get();
  }

  Grant CreateGrant(const std::string& key, const std::string& grantee,
                    const std::string& name = {}) {
    v1::CreateGrantRequest request;
    request.set_key_id(key);
    request.set_grantee_principal(ArnOf(grantee));
    request.set_retiring_principal(ArnOf(grantee));
    request.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
    if (!name.empty()) request.set_name(name);
    v1::CreateGrantResponse response;
    EXPECT_THAT(Call<v1::CreateGrantResponse>(Operation::kCreateGrant, request, &response), IsOk());
    return {response.grant_id(), response.grant_token()};
  }
  Status RevokeGrant(const std::string& key, const std::string& grant_id) {
    v1::RevokeGrantRequest request;
    request.set_key_id(KeyArn(kSite, *AccountId::Parse("111122223333"), *KeyId::Parse(key)));
    request.set_grant_id(grant_id);
    return Call<v1::RevokeGrantResponse>(Operation::kRevokeGrant, request);
  }
  Status RetireGrantAs(const std::shared_ptr<const Principal>& caller, const std::string& token) {
    v1::RetireGrantRequest request;
    request.set_grant_token(token);
    return StartAs<v1::RetireGrantResponse>(caller, Operation::kRetireGrant, request)->answer.get();
  }
  Status PutKeyPolicy(const std::string& key, const std::string& statements) {
    v1::PutKeyPolicyRequest request;
    request.set_key_id(key);
    request.set_policy(R"({"Version":"2012-10-17","Statement":[{"Sid":"Account","Effect":"Allow",
        "Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"})" +
                       statements + "]}");
    return Call<v1::PutKeyPolicyResponse>(Operation::kPutKeyPolicy, request);
  }
  std::string LetMac(const std::string& name) const {
    return R"(,{"Sid":"Mac","Effect":"Allow","Principal":{"AWS":")" + ArnOf(name) +
           R"("},"Action":"kms:GenerateMac","Resource":"*"})";
  }

  // Twenty calls of the grantee are queued behind a call that hangs, the permission is taken away,
  // and the token goes on.
  void ExpectNoneReachesTheToken(const std::string& key, const std::function<Status()>& revoke) {
    auto busy = Occupy(key);
    std::vector<std::unique_ptr<Pending<v1::GenerateMacRequest, v1::GenerateMacResponse>>> queued;
    queued.reserve(20);
    for (int i = 0; i < 20; ++i) queued.push_back(StartMacAs(grantee_, key));
    EXPECT_THAT(revoke(), IsOk());
    FaultList::Disarm();
    EXPECT_THAT(busy->answer.get(), IsOk());
    for (const auto& call : queued) {
      EXPECT_THAT(call->answer.get(), Raises(Exception::kAccessDeniedException));
      // Not what had allowed it before.
      EXPECT_EQ(call->call->decided_by, "");
    }
    EXPECT_EQ(FaultList::Calls("C_SignInit"), 0U);
    EXPECT_THAT(MacAs(grantee_, key), Raises(Exception::kAccessDeniedException));
  }

  const std::shared_ptr<const Principal> grantee_ = AddCaller("Grantee", "");
};

TEST_F(RevocationTest, ARevokedGrantStopsEveryCallThatIsStillQueued) {
  const std::string key = CreateKey();
  const Grant grant = CreateGrant(key, "Grantee");
  EXPECT_THAT(MacAs(grantee_, key), IsOk());
  ExpectNoneReachesTheToken(key, [&] { return RevokeGrant(key, grant.id); });
}

TEST_F(RevocationTest, ARetiredGrantStopsEveryCallThatIsStillQueued) {
  const std::string key = CreateKey();
  const Grant grant = CreateGrant(key, "Grantee");
  ExpectNoneReachesTheToken(key, [&] { return RetireGrantAs(grantee_, grant.token); });
}

TEST_F(RevocationTest, AChangedKeyPolicyStopsEveryCallThatIsStillQueued) {
  const std::string key = CreateKey();
  EXPECT_THAT(MacAs(grantee_, key), Raises(Exception::kAccessDeniedException));
  EXPECT_THAT(PutKeyPolicy(key, LetMac("Grantee")), IsOk());
  EXPECT_THAT(MacAs(grantee_, key), IsOk());
  ExpectNoneReachesTheToken(key, [&] { return PutKeyPolicy(key, ""); });
}

TEST_F(RevocationTest, ARemovedAccessKeyStopsEveryCallThatIsStillQueued) {
  const std::string key = CreateKey();
  // Known by an access key alone.
  auto signer = std::make_shared<Principal>(*AddCaller("Signer"));
  signer->certificates.clear();
  signer->access_keys = {{"HMAKOLD", "Signer"}};
  principals_.Publish(signer);
  EXPECT_THAT(MacAs(signer, key), IsOk());

  auto busy = Occupy(key);
  auto queued = StartMacAs(signer, key);
  auto rotated = std::make_shared<Principal>(*signer);
  rotated->access_keys = {{"HMAKNEW", "Signer"}};
  principals_.Publish(rotated);
  auto later = StartMacAs(rotated, key);
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  EXPECT_THAT(queued->answer.get(), Raises(Exception::kUnrecognizedClientException));
  EXPECT_THAT(later->answer.get(), IsOk());
}

TEST_F(RevocationTest, AQueuedCallGoesOnByAnotherGrant) {
  const std::string key = CreateKey();
  const Grant first = CreateGrant(key, "Grantee", "first");
  const Grant second = CreateGrant(key, "Grantee", "second");
  auto busy = Occupy(key);
  auto queued = StartMacAs(grantee_, key);
  EXPECT_THAT(RevokeGrant(key, first.id), IsOk());
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  EXPECT_THAT(queued->answer.get(), IsOk());
  EXPECT_THAT(RevokeGrant(key, second.id), IsOk());
}

// A grantee hammers a slow token while its grant comes and goes, and while others change the policy
// and the grants of the same key. What was said of the grant before a call began, and still held
// when it ended, decides about the call.
TEST_F(RevocationTest, GrantsHoldExactlyAsLongAsIsSaidUnderConcurrentChanges) {
  const std::string key = CreateKey();
  AddCaller("Other", "");
  EXPECT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .times = 0, .delay = std::chrono::milliseconds(1)});
  std::atomic<bool> stop{false};
  constexpr int kPhases = 4;  // no grant, being made, there, being revoked
  std::atomic<int> phase{0};
  std::atomic<int> permitted_late{0};
  std::atomic<int> refused_early{0};
  std::atomic<int> conclusive{0};

  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const int before = phase;
        const bool allowed = MacAs(grantee_, key).has_value();
        if (before != phase) continue;
        if (before % kPhases == 0 && allowed) ++permitted_late;
        if (before % kPhases == 2 && !allowed) ++refused_early;
        ++conclusive;
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; !stop; ++i) {
      EXPECT_THAT(PutKeyPolicy(key, i % 2 == 0 ? LetMac("Other") : ""), IsOk());
    }
  });
  threads.emplace_back([&] {
    while (!stop) EXPECT_THAT(RevokeGrant(key, CreateGrant(key, "Other").id), IsOk());
  });
  for (int i = 0; i < 40; ++i) {
    ++phase;
    const Grant grant = CreateGrant(key, "Grantee");
    ++phase;
    EXPECT_THAT(MacAs(grantee_, key), IsOk());
    ++phase;
    EXPECT_THAT(RevokeGrant(key, grant.id), IsOk());
    ++phase;
    EXPECT_THAT(MacAs(grantee_, key), Raises(Exception::kAccessDeniedException));
  }
  stop = true;
  threads.clear();
  EXPECT_EQ(permitted_late, 0);
  EXPECT_EQ(refused_early, 0);
  EXPECT_GT(conclusive, 0);

  // What was published is what was stored.
  const KeyViewPtr view = keys_.Find(*KeyId::Parse(key));
  const auto image = store_->Load();
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->grants.size(), view->grants.size());
  EXPECT_EQ(image->keys.front().policy_hash, view->policy->record.hash);
}

}  // namespace
}  // namespace hallmark::app
