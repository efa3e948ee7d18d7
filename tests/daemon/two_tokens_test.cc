// One daemon with two tokens: whose keys are where, and what is left when one of them goes.
#include "keystate/bytes.h"
#include "keystate/store/sqlite_store.h"
#include "pkcs11/check_value.h"
#include "service/system/system.h"
#include "tests/daemon/calls.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::json;

void Require(bool ok) {
  if (!ok) std::abort();
}

// SoftHSM in this process, while no daemon runs.
class OpenModule {
 public:
  explicit OpenModule(const TestDaemon& daemon) : pin_(ReadFile(daemon.home() / "user.pin")) {
    ::setenv("SOFTHSM2_CONF", (daemon.home() / "softhsm2.conf").c_str(), 1);
    void* module = ::dlopen(HALLMARK_SOFTHSM_MODULE, RTLD_NOW | RTLD_LOCAL);
    Require(module != nullptr);
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module, "C_GetFunctionList"));
    Require(get != nullptr && get(&functions_) == CKR_OK &&
            functions_->C_Initialize(nullptr) == CKR_OK);
  }
  ~OpenModule() { functions_->C_Finalize(nullptr); }
  OpenModule(const OpenModule&) = delete;
  OpenModule& operator=(const OpenModule&) = delete;

  // As the cloning of a token's maker would leave it.
  void PutKey(const std::string& token_label, CkaId id, std::string value) {
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    Require(functions_->C_OpenSession(SlotOf(token_label), CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                      nullptr, nullptr, &session) == CKR_OK);
    Require(functions_->C_Login(session, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(pin_.data()),
                                pin_.size()) == CKR_OK);
    CK_ULONG object_class = CKO_SECRET_KEY;
    CK_ULONG type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    std::array<CK_ATTRIBUTE, 9> attributes{{{CKA_CLASS, &object_class, sizeof object_class},
                                            {CKA_KEY_TYPE, &type, sizeof type},
                                            {CKA_TOKEN, &yes, sizeof yes},
                                            {CKA_PRIVATE, &yes, sizeof yes},
                                            {CKA_SENSITIVE, &yes, sizeof yes},
                                            {CKA_EXTRACTABLE, &no, sizeof no},
                                            {CKA_SIGN, &yes, sizeof yes},
                                            {CKA_ID, id.data(), id.size()},
                                            {CKA_VALUE, value.data(), value.size()}}};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    Require(functions_->C_CreateObject(session, attributes.data(), attributes.size(), &key) ==
            CKR_OK);
    Require(functions_->C_CloseSession(session) == CKR_OK);
  }

 private:
  CK_SLOT_ID SlotOf(const std::string& token_label) {
    std::array<CK_SLOT_ID, 8> slots{};
    CK_ULONG count = slots.size();
    Require(functions_->C_GetSlotList(CK_TRUE, slots.data(), &count) == CKR_OK);
    for (CK_ULONG i = 0; i < count; ++i) {
      CK_TOKEN_INFO info{};
      Require(functions_->C_GetTokenInfo(slots.at(i), &info) == CKR_OK);
      if (std::string(info.label, std::end(info.label)).starts_with(token_label + " ")) {
        return slots.at(i);
      }
    }
    std::abort();
  }

  std::string pin_;
  CK_FUNCTION_LIST* functions_ = nullptr;
};

std::string HmacSha256(const std::string& key, std::string_view message) {
  std::string mac(32, '\0');
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(),
       reinterpret_cast<unsigned char*>(mac.data()), nullptr);
  return mac;
}

class TwoTokensTest : public ::testing::Test {
 protected:
  // Token "second" is served by a copy of the module, which has a state of its own, and which the
  // faults of token "main" do not reach.
  explicit TwoTokensTest(const std::string& default_token = "main") {
    const fs::path module = modules_.path() / "second.so";
    fs::copy_file(HALLMARK_SOFTHSM_MODULE, module);
    daemon_ = std::make_unique<TestDaemon>(TestDaemon::Options{
        .token_settings = "sessions = 2\n[token.second]\nmodule = \"" + module.string() +
                          "\"\nuri = \"pkcs11:token=second?pin-source=file:user.pin\"\n"
                          "sync_path = \"tokens\"\nsessions = 2\n",
        .default_token = default_token});
  }

  // Of the key whose value both tokens will have.
  std::string PutKeyOnBoth() {
    service::OsRandom random;
    std::array<std::byte, 32> bytes{};
    random.Fill(bytes);
    value_ = ToHex(bytes).substr(0, 32);
    CkaId uuid{};
    random.Fill(uuid);
    random.Fill(cka_id_);
    {
      OpenModule module(*daemon_);
      module.PutKey("hallmark", cka_id_, value_);
      module.PutKey("second", cka_id_, value_);
    }
    const KeyId key_id = KeyId::FromRandom(uuid);
    const std::string check_mac = HmacSha256(value_, pkcs11::kCheckValueText);
    KeyCheckValue check_value{};
    EVP_Digest(check_mac.data(), check_mac.size(),
               reinterpret_cast<unsigned char*>(check_value.data()), nullptr, EVP_sha256(),
               nullptr);
    auto store = store::SqliteStore::Open(daemon_->home() / "store", {"aws", "us-west-2"}, random);
    Require(store.has_value());
    Require(
        (*store)
            ->Commit(std::array{Put(KeyRecord{.id = key_id,
                                              .account = *AccountId::Parse(TestDaemon::kAccount),
                                              .spec = KeySpec::kHmac256}),
                                Put(MaterialRecord{.key_id = key_id, .check_value = check_value}),
                                Put(BindingRecord{.key_id = key_id,
                                                  .token_id = "main",
                                                  .cka_id = cka_id_,
                                                  .state = BindingState::kReady})})
            .has_value());
    return key_id.ToString();
  }

  // `hallmark token …`.
  Finished Token(std::vector<std::string> arguments) const {
    std::vector<std::string> line{HALLMARK_BINARY_DIR "/hallmark", "token"};
    line.insert(line.end(), arguments.begin(), arguments.end());
    line.insert(line.end(), {"--home", daemon_->home().string()});
    return testing::Run(line, daemon_->environment());
  }
  Json Status(const std::string& token) const {
    const Finished shown = Token({"status", "--token", token});
    EXPECT_EQ(shown.exit_code, 0) << shown.errors;
    return Json::parse(shown.output).at("Token");
  }
  void Adopt(const std::string& key_id) const {
    const Finished adopted =
        Token({"adopt", "--key-id", key_id, "--token", "second", "--cka-id", ToHex(cka_id_)});
    ASSERT_EQ(adopted.exit_code, 0) << adopted.errors;
  }
  std::string CreateKeyOn(const std::string& token) {
    v1::CreateKeyRequest request = CreateKeyRequestFor(KeySpec::kHmac256);
    request.set_token(token);
    v1::CreateKeyResponse response;
    const Outcome created =
        daemon_->admin().Call(&v1::KeyService::Stub::CreateKey, request, &response);
    EXPECT_TRUE(created.ok()) << created;
    return response.key_metadata().key_id();
  }
  Outcome Mac(const std::string& key_id) {
    return GenerateMac(daemon_->admin(), key_id, "m").outcome;
  }
  void PullMain() const { daemon_->SetFaults("token hallmark removed\n"); }
  void PutMainBack() const { daemon_->SetFaults(""); }

  const TemporaryDirectory modules_;
  std::unique_ptr<TestDaemon> daemon_;
  std::string value_;
  CkaId cka_id_{};
};

TEST_F(TwoTokensTest, KeysOfBothTokensAreServedAndStayAfterARestart) {
  daemon_->Start();
  const std::string on_main = CreateKeyOn("main");
  const std::string on_second = CreateKeyOn("second");
  const std::string mac = GenerateMac(daemon_->admin(), on_second, "m").mac;
  EXPECT_TRUE(Mac(on_main).ok());
  EXPECT_EQ(Status("main").at("Keys"), 1);
  EXPECT_EQ(Status("second").at("Keys"), 1);
  ASSERT_EQ(daemon_->Stop(), 0);
  daemon_->Start();
  EXPECT_TRUE(Mac(on_main).ok());
  EXPECT_EQ(GenerateMac(daemon_->admin(), on_second, "m").mac, mac);
}

TEST_F(TwoTokensTest, NoCallFailsWhileATokenIsPulledUnderLoadAndAnotherHoldsTheKey) {
  const std::string key_id = PutKeyOnBoth();
  daemon_->Start();
  const std::string only_on_main = CreateKeyOn("main");
  Adopt(key_id);
  const std::string want = HmacSha256(value_, "load");
  std::atomic<bool> stop{false};
  std::atomic<int> done{0};
  std::mutex mu;
  std::vector<std::string> wrong;
  std::vector<std::jthread> callers;
  const Client& client = daemon_->admin();
  callers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        const MacAnswer answer = GenerateMac(client, key_id, "load", 10s);
        ++done;
        if (answer.outcome.ok() && answer.mac == want) continue;
        const std::lock_guard lock(mu);
        wrong.push_back(answer.outcome.ok() ? "a wrong MAC"
                                            : answer.outcome.exception + answer.outcome.message);
      }
    });
  }
  const auto calls_go_on = [&] {
    const int before = done;
    return Eventually([&] { return done > before + 50; });
  };
  for (int round = 0; round < 20; ++round) {
    EXPECT_TRUE(calls_go_on());
    PullMain();
    EXPECT_TRUE(Eventually([&] { return !Mac(only_on_main).ok(); }));
    EXPECT_TRUE(calls_go_on());
    PutMainBack();
    EXPECT_TRUE(Eventually([&] { return Mac(only_on_main).ok(); }));
  }
  EXPECT_TRUE(calls_go_on());
  stop = true;
  callers.clear();
  EXPECT_THAT(wrong, ::testing::IsEmpty());
}

TEST_F(TwoTokensTest, ADrainedTokenGetsNoCallsUntilItIsResumedEvenAfterARestart) {
  const std::string key_id = PutKeyOnBoth();
  daemon_->Start();
  const std::string only_on_main = CreateKeyOn("main");
  Adopt(key_id);
  ASSERT_EQ(Token({"drain", "--token", "main"}).exit_code, 0);
  EXPECT_EQ(Mac(only_on_main).exception, "KeyUnavailableException");
  EXPECT_TRUE(Mac(key_id).ok());
  ASSERT_EQ(daemon_->Stop(), 0);
  daemon_->Start();
  EXPECT_EQ(Status("main").at("Drained"), true);
  EXPECT_EQ(Mac(only_on_main).exception, "KeyUnavailableException");
  EXPECT_TRUE(Mac(key_id).ok());
  ASSERT_EQ(Token({"resume", "--token", "main"}).exit_code, 0);
  EXPECT_TRUE(Mac(only_on_main).ok());
  EXPECT_THAT(ReadFile(daemon_->audit_file()),
              AllOf(HasSubstr("DrainToken"), HasSubstr("ResumeToken"), HasSubstr("AdoptKey")));
}

// The default is the token that the faults do not reach.
class AbsentTokenTest : public TwoTokensTest {
 protected:
  AbsentTokenTest() : TwoTokensTest("second") {}
  void TakeMainAway() const { PullMain(); }
};

TEST_F(AbsentTokenTest, ATokenThatIsAbsentAtTheStartIsTakenUpWhenItAppears) {
  daemon_->Start();
  const std::string on_main = CreateKeyOn("main");
  const std::string on_second = CreateKeyOn("second");
  ASSERT_EQ(daemon_->Stop(), 0);
  TakeMainAway();
  daemon_->Start();
  EXPECT_TRUE(Mac(on_second).ok());
  EXPECT_EQ(Mac(on_main).exception, "KeyUnavailableException");
  EXPECT_EQ(Status("main").at("Available"), false);
  PutMainBack();
  EXPECT_TRUE(Eventually([&] { return Mac(on_main).ok(); }));
  EXPECT_EQ(daemon_->Stop(), 0);
}

TEST_F(AbsentTokenTest, ADrainedTokenThatCannotBeOpenedHoldsUpNoStart) {
  daemon_->Start();
  const std::string on_second = CreateKeyOn("second");
  ASSERT_EQ(Token({"drain", "--token", "main"}).exit_code, 0);
  ASSERT_EQ(daemon_->Stop(), 0);
  daemon_->SetFaults("C_Login rv=CKR_PIN_INCORRECT\n");
  daemon_->Start();
  EXPECT_TRUE(Mac(on_second).ok());
  EXPECT_EQ(Status("main").at("Drained"), true);
  EXPECT_EQ(daemon_->Stop(), 0);
}

TEST_F(AbsentTokenTest, ADaemonEndsWhileItStillLooksForAToken) {
  TakeMainAway();
  daemon_->Start();
  EXPECT_EQ(Status("main").at("Available"), false);
  EXPECT_EQ(daemon_->Stop(), 0);
}

TEST_F(TwoTokensTest, WithoutItsDefaultTokenTheDaemonDoesNotStart) {
  daemon_->SetFaults("C_GetTokenInfo rv=CKR_TOKEN_NOT_PRESENT\n");
  const Finished ended = daemon_->RunToEnd();
  EXPECT_EQ(ended.exit_code, 69) << ended.errors;  // EX_UNAVAILABLE
}

}  // namespace
}  // namespace hallmark::testing
