// Keys with several holders: failover, draining, adoption.
#include "service/app/deletion_sweeper.h"
#include "service/app/token_ops.h"
#include "tests/service/app/operations_fixture.h"
#include "tests/support/absent_hsm.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <ostream>
#include <stop_token>
#include <vector>

namespace hallmark::app {
namespace {

using testing::TestSession;

// Fails every MAC as a token that goes out in the middle of it; available all the same.
class FailingHsm final : public testing::AbsentHsm {
 public:
  explicit FailingHsm() : AbsentHsm("failing") {}
  bool available() const override { return is_available; }
  void ComputeMac(std::shared_ptr<MacTask> task) override {
    ++asked;
    if (admits) static_cast<void>(task->Admit());
    task->Finish(Unexpected(throttles ? Throttled(10ms, "busy") : KeyUnavailable("it went out")));
  }

  std::atomic<int> asked{0};
  std::atomic<bool> is_available{true};
  std::atomic<bool> throttles{false};
  std::atomic<bool> admits{true};
};

class SeveralTokensTest : public OperationsTest {
 protected:
  SeveralTokensTest() {
    pkcs11::TokenOptions options = second_token_.options();
    options.token_id = "second";
    const auto record = pkcs11::InitToken(options, random_);
    EXPECT_TRUE(record.has_value());
    auto opened = pkcs11::Open(options, *record, random_, [](auto, const auto&) {});
    EXPECT_TRUE(opened.has_value());
    second_ = *std::move(opened);
    TokenRecord first = tokens_->default_token().record();
    const std::array writes{Put(first), Put(*record)};
    EXPECT_THAT(store_->Commit(writes), IsOk());
    std::vector<TokenSet::Member> members;
    const StoreImage image = *store_->Load();
    for (const TokenRecord& stored : image.tokens) {
      Hsm* const hsm = stored.token_id == "second" ? second_.hsm.get() : open_.hsm.get();
      members.push_back({hsm, stored});
    }
    std::partition(members.begin(), members.end(),
                   [](const auto& member) { return member.record.token_id == "test"; });
    members.push_back({&failing_, {.token_id = "failing"}});
    UseTokens(members);
  }

  // A key whose value we know, on the first token; its object with that value, on the second.
  std::string KeyOnBoth(bool same_value = true) {
    std::string key_id = CreateKey();
    Bytes value(32);
    random_.Fill(value);
    TestSession(token_).CreateKey(cka_id_, value);
    if (!same_value) random_.Fill(value);
    TestSession(second_token_).CreateKey(cka_id_, value);
    const auto examined = open_.hsm->ExamineKey(cka_id_, KeySpec::kHmac256, Soon());
    EXPECT_THAT(examined, IsOk());
    KeyView next = *ViewOf(key_id);
    next.material.check_value = examined->check_value;
    next.bindings.front().cka_id = cka_id_;
    const auto revision =
        store_->Commit(std::array{Put(next.key), Put(next.material), Put(next.bindings.front())});
    EXPECT_THAT(revision, IsOk());
    next.key.revision = next.material.revision = next.bindings.front().revision = *revision;
    keys_.Publish(std::make_shared<const KeyView>(std::move(next)));
    return key_id;
  }
  Status Adopt(const std::string& key_id, const std::string& token = "second",
               std::optional<CkaId> cka_id = std::nullopt) {
    v1::AdoptKeyRequest request;
    request.set_key_id(key_id);
    request.set_token(token);
    request.set_cka_id(ToHex(cka_id.value_or(cka_id_)));
    v1::AdoptKeyResponse response;
    return AdoptKey(admin(), request, &response);
  }
  Status Drain(const std::string& token) {
    v1::DrainTokenRequest request;
    request.set_token(token);
    v1::DrainTokenResponse response;
    return DrainToken(admin(), request, &response);
  }
  Status Resume(const std::string& token) {
    v1::ResumeTokenRequest request;
    request.set_token(token);
    v1::ResumeTokenResponse response;
    return ResumeToken(admin(), request, &response);
  }
  TokenAdmin& admin() {
    admin_.emplace(TokenAdmin{*tokens_, keys_, *store_, clock_});
    return *admin_;
  }
  KeyViewPtr ViewOf(const std::string& key_id) const { return keys_.Find(*KeyId::Parse(key_id)); }
  SteadyTime Soon() const { return clock_.SteadyNow() + 10s; }
  // Puts another holder in front of the key's own.
  void HoldFirst(const std::string& key_id, const std::string& token) {
    Change(key_id, [&](KeyView& view) {
      BindingRecord binding = view.bindings.front();
      binding.token_id = token;
      view.bindings.insert(view.bindings.begin(), binding);
    });
  }
  Status CreateKeyOn(const std::string& token, std::string* key_id = nullptr) {
    v1::CreateKeyRequest request = NewHmac256();
    request.set_token(token);
    v1::CreateKeyResponse response;
    Status status = Call(Operation::kCreateKey, request, &response);
    if (key_id != nullptr) *key_id = response.key_metadata().key_id();
    return status;
  }

  testing::SoftHsmToken second_token_;
  pkcs11::OpenToken second_;
  FailingHsm failing_;
  CkaId cka_id_ = [this] {
    CkaId id{};
    random_.Fill(id);
    return id;
  }();
  std::optional<TokenAdmin> admin_;
};

TEST_F(SeveralTokensTest, AMacThatOneHolderFailsIsMadeByAnother) {
  const std::string key_id = CreateKey();
  HoldFirst(key_id, "failing");
  EXPECT_THAT(Mac(key_id), IsOk());
  EXPECT_EQ(failing_.asked, 1);
  EXPECT_EQ(tokens_->Find("failing")->failovers(), 1u);
}

TEST_F(SeveralTokensTest, EachHolderIsAskedOnceAndThenTheFailureIsTheAnswer) {
  const std::string key_id = CreateKey();
  Change(key_id, [](KeyView& view) { view.bindings.front().token_id = "failing"; });
  EXPECT_THAT(Mac(key_id), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(failing_.asked, 1);
}

TEST_F(SeveralTokensTest, AThrottledCallIsNotSentToAnotherHolder) {
  const std::string key_id = CreateKey();
  HoldFirst(key_id, "failing");
  failing_.throttles = true;
  EXPECT_THAT(Mac(key_id), Raises(Exception::kThrottlingException));
}

TEST_F(SeveralTokensTest, AKeyThatWasDisabledMeanwhileIsNotUsedOnTheOtherHolder) {
  const std::string key_id = CreateKey();
  HoldFirst(key_id, "failing");
  auto busy = Occupy(key_id);  // by the second attempt, on the token that works
  auto mac = StartMac(key_id);
  Change(key_id, [](KeyView& view) { view.key.state = KeyState::kDisabled; });
  FaultList::Disarm();
  EXPECT_THAT(mac->answer.get(), Raises(Exception::kDisabledException));
  EXPECT_THAT(busy->answer.get(), IsOk());
}

TEST_F(SeveralTokensTest, AHolderThatIsOutOrDrainedIsPassedOver) {
  const std::string key_id = CreateKey();
  HoldFirst(key_id, "failing");
  failing_.is_available = false;
  EXPECT_THAT(Mac(key_id), IsOk());
  EXPECT_EQ(failing_.asked, 0);
}

TEST_F(SeveralTokensTest, DryRunsSucceedWhileOneHolderIsLeft) {
  const std::string key_id = CreateKey();
  HoldFirst(key_id, "failing");
  failing_.is_available = false;
  auto dry_run = MacRequest(key_id);
  dry_run.set_dry_run(true);
  EXPECT_THAT((Call<v1::GenerateMacResponse>(Operation::kGenerateMac, dry_run)),
              Raises(Exception::kDryRunOperationException));
  ASSERT_THAT(Drain("test"), IsOk());
  EXPECT_THAT((Call<v1::GenerateMacResponse>(Operation::kGenerateMac, dry_run)),
              Raises(Exception::kKeyUnavailableException));
}

TEST_F(SeveralTokensTest, AKeyIsMadeOnTheTokenThatIsNamed) {
  std::string key_id;
  ASSERT_THAT(CreateKeyOn("second", &key_id), IsOk());
  ASSERT_EQ(ViewOf(key_id)->bindings.size(), 1u);
  EXPECT_EQ(ViewOf(key_id)->bindings.front().token_id, "second");
  EXPECT_EQ(TestSession(second_token_).Find(ViewOf(key_id)->bindings.front().cka_id).size(), 1u);
  EXPECT_THAT(Mac(key_id), IsOk());
}

TEST_F(SeveralTokensTest, ATokenThatIsNotConfiguredMakesNoKey) {
  EXPECT_THAT(CreateKeyOn("other"), Raises(Exception::kValidationException));
}

TEST_F(SeveralTokensTest, ATokenThatIsDrainedOrOutMakesNoKey) {
  ASSERT_THAT(Drain("second"), IsOk());
  EXPECT_THAT(CreateKeyOn("second"), Raises(Exception::kDependencyTimeoutException));
  failing_.is_available = false;
  EXPECT_THAT(CreateKeyOn("failing"), Raises(Exception::kDependencyTimeoutException));
  ASSERT_THAT(Resume("second"), IsOk());
  EXPECT_THAT(CreateKeyOn("second"), IsOk());
}

TEST_F(SeveralTokensTest, AKeyWhoseOnlyHolderIsDrainedIsUnavailableUntilItIsResumed) {
  const std::string key_id = CreateKey();
  ASSERT_THAT(Drain("test"), IsOk());
  EXPECT_THAT(Mac(key_id), Raises(Exception::kKeyUnavailableException));
  ASSERT_THAT(Resume("test"), IsOk());
  EXPECT_THAT(Mac(key_id), IsOk());
}

TEST_F(SeveralTokensTest, AnEqualObjectBecomesASecondHolderThatServes) {
  const std::string key_id = KeyOnBoth();
  v1::GenerateMacResponse first;
  ASSERT_THAT(Call(Operation::kGenerateMac, MacRequest(key_id), &first), IsOk());
  ASSERT_THAT(Adopt(key_id), IsOk());
  const BindingRecord& adopted = ViewOf(key_id)->bindings.at(1);
  EXPECT_EQ(adopted.token_id, "second");
  EXPECT_FALSE(adopted.owned);
  ASSERT_THAT(Drain("test"), IsOk());
  v1::GenerateMacResponse second;
  ASSERT_THAT(Call(Operation::kGenerateMac, MacRequest(key_id), &second), IsOk());
  EXPECT_EQ(first.mac(), second.mac());

  v1::DescribeKeyRequest request;
  request.set_key_id(key_id);
  v1::DescribeKeyResponse described;
  ASSERT_THAT(Call(Operation::kDescribeKey, request, &described), IsOk());
  ASSERT_EQ(described.holders_size(), 2);
  EXPECT_FALSE(described.holders(0).available());
  EXPECT_TRUE(described.holders(1).available());
  EXPECT_TRUE(described.can_fail_over());
}

TEST_F(SeveralTokensTest, AnObjectOfAnotherValueIsNotAdopted) {
  const std::string key_id = KeyOnBoth(/*same_value=*/false);
  EXPECT_THAT(Adopt(key_id), Raises(Exception::kValidationException));
  EXPECT_EQ(ViewOf(key_id)->bindings.size(), 1u);
}

TEST_F(SeveralTokensTest, WhatIsNoKeyOfOursToTakeIsNotAdopted) {
  const std::string key_id = KeyOnBoth();
  EXPECT_THAT(Adopt(key_id, "test"), Raises(Exception::kAlreadyExistsException));
  EXPECT_THAT(Adopt(key_id, "other"), Raises(Exception::kNotFoundException));
  EXPECT_THAT(Adopt("7f4aba53-e15c-42ad-bafe-3359afae217d"), Raises(Exception::kNotFoundException));
  EXPECT_THAT(Adopt(key_id, "second", CkaId{}), Raises(Exception::kNotFoundException));
  const CkaId anchor = tokens_->Find("second")->record().anchor_cka_id;
  EXPECT_THAT(Adopt(key_id, "second", anchor), Raises(Exception::kValidationException));
  std::string other;
  ASSERT_THAT(CreateKeyOn("second", &other), IsOk());
  EXPECT_THAT(Adopt(key_id, "second", ViewOf(other)->bindings.front().cka_id),
              Raises(Exception::kAlreadyExistsException));
}

// An object that somebody else made, with one flag that makes it too weak for us.
struct Weakness {
  CK_ATTRIBUTE_TYPE flag;
  bool value;
  const char* name;
};
void PrintTo(const Weakness& weakness, std::ostream* out) { *out << weakness.name; }

class WeakObjectTest : public SeveralTokensTest, public ::testing::WithParamInterface<Weakness> {};

TEST_P(WeakObjectTest, IsNotAdopted) {
  const std::string key_id = CreateKey();
  CK_OBJECT_CLASS object_class = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_GENERIC_SECRET;
  CK_BBOOL yes = CK_TRUE;
  Bytes value(32, std::byte{1});
  CkaId id = cka_id_;
  std::map<CK_ATTRIBUTE_TYPE, CK_BBOOL> flags{
      {CKA_SIGN, CK_TRUE},         {CKA_PRIVATE, CK_TRUE}, {CKA_SENSITIVE, CK_TRUE},
      {CKA_EXTRACTABLE, CK_FALSE}, {CKA_DERIVE, CK_FALSE},
  };
  flags[GetParam().flag] = GetParam().value ? CK_TRUE : CK_FALSE;
  std::vector<CK_ATTRIBUTE> attributes{{CKA_CLASS, &object_class, sizeof object_class},
                                       {CKA_KEY_TYPE, &type, sizeof type},
                                       {CKA_TOKEN, &yes, sizeof yes},
                                       {CKA_ID, id.data(), id.size()},
                                       {CKA_VALUE, value.data(), value.size()}};
  for (auto& [flag, flag_value] : flags) attributes.push_back({flag, &flag_value, 1});
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  const TestSession session(second_token_);
  ASSERT_EQ(testing::SoftHsmToken::functions().C_CreateObject(session.handle(), attributes.data(),
                                                              attributes.size(), &object),
            CKR_OK);
  const Status adopted = Adopt(key_id);
  ASSERT_THAT(adopted, Raises(Exception::kValidationException));
  EXPECT_THAT(adopted.error().message, ::testing::HasSubstr(GetParam().name));
}

INSTANTIATE_TEST_SUITE_P(Flags, WeakObjectTest,
                         ::testing::Values(Weakness{CKA_SIGN, false, "CKA_SIGN is false"},
                                           Weakness{CKA_PRIVATE, false, "CKA_PRIVATE is false"},
                                           Weakness{CKA_SENSITIVE, false, "CKA_SENSITIVE is false"},
                                           Weakness{CKA_EXTRACTABLE, true,
                                                    "CKA_EXTRACTABLE is true"},
                                           Weakness{CKA_DERIVE, true, "CKA_DERIVE is true"}));

class EndingOnTokensTest : public SeveralTokensTest {
 protected:
  EndingOnTokensTest() { StartSweeper(); }
  void StartSweeper() {
    sweeper_.emplace(
        DeletionSweeper::Parts{keys_, client_tokens_, last_usage_, *store_, *tokens_, clock_},
        *store_->Load(), [](auto, const auto&) {});
    Sweep();
  }
  void Sweep() { sweeper_->Sweep(std::stop_token()); }
  void WaitFor(std::chrono::milliseconds time) {
    clock_.ahead += time.count();
    clock_.steady_ahead += time.count();
  }

  std::optional<DeletionSweeper> sweeper_;
};

TEST_F(EndingOnTokensTest, AKeyEndsOnEveryHolderAndAnAdoptedObjectStays) {
  const std::string key_id = KeyOnBoth();
  ASSERT_THAT(Adopt(key_id), IsOk());
  ASSERT_THAT(ScheduleKeyDeletion(key_id), IsOk());
  WaitFor(8 * 24h);
  Sweep();
  EXPECT_EQ(ViewOf(key_id), nullptr);
  EXPECT_TRUE(TestSession(token_).Find(cka_id_).empty());
  EXPECT_EQ(TestSession(second_token_).Find(cka_id_).size(), 1u);
  EXPECT_TRUE(store_->Load()->bindings.empty());
}

TEST_F(EndingOnTokensTest, ATokenThatIsDrainedHoldsUpOnlyItsOwnKeys) {
  std::string on_second;
  ASSERT_THAT(CreateKeyOn("second", &on_second), IsOk());
  const std::string on_first = CreateKey();
  for (const std::string& key_id : {on_second, on_first}) {
    ASSERT_THAT(ScheduleKeyDeletion(key_id), IsOk());
  }
  ASSERT_THAT(Drain("second"), IsOk());
  WaitFor(8 * 24h);
  Sweep();
  EXPECT_EQ(ViewOf(on_first), nullptr);
  EXPECT_EQ(store_->Load()->bindings.size(), 1u);
  EXPECT_EQ(sweeper_->state().being_destroyed, 1u);
  ASSERT_THAT(Resume("second"), IsOk());
  Sweep();
  EXPECT_TRUE(store_->Load()->bindings.empty());
}

TEST_F(EndingOnTokensTest, ATokenThatIsGoneForGoodHoldsUpNoKeyThatItOnlyLent) {
  const std::string key_id = KeyOnBoth();
  ASSERT_THAT(Adopt(key_id), IsOk());
  UseTokens({{open_.hsm.get(), tokens_->default_token().record()}});
  StartSweeper();
  ASSERT_THAT(ScheduleKeyDeletion(key_id), IsOk());
  WaitFor(8 * 24h);
  Sweep();
  EXPECT_TRUE(TestSession(token_).Find(cka_id_).empty());
  EXPECT_TRUE(store_->Load()->bindings.empty());
  EXPECT_EQ(sweeper_->state().being_destroyed, 0u);
}

}  // namespace
}  // namespace hallmark::app
