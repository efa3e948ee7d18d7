// Every class of errors, injected into every function that an open token's user calls, under load:
// what callers see is committed as failure_table.md.
#include "pkcs11/ckr.h"
#include "tests/pkcs11/opened_token.h"
#include "tests/support/golden.h"

#include <array>
#include <atomic>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kPlaces = 4;

struct FunctionRow {
  const char* name;
  // Called by MACs and by making and destroying keys; else only when the token is brought back.
  bool always_called;
};
constexpr std::array kFunctions{
    FunctionRow{"C_Initialize", false},       FunctionRow{"C_Finalize", false},
    FunctionRow{"C_GetSlotList", false},      FunctionRow{"C_GetTokenInfo", false},
    FunctionRow{"C_OpenSession", false},      FunctionRow{"C_CloseSession", false},
    FunctionRow{"C_GetSessionInfo", false},   FunctionRow{"C_Login", false},
    FunctionRow{"C_FindObjectsInit", false},  FunctionRow{"C_FindObjects", false},
    FunctionRow{"C_FindObjectsFinal", false}, FunctionRow{"C_GetAttributeValue", false},
    FunctionRow{"C_SignInit", true},          FunctionRow{"C_Sign", true},
    FunctionRow{"C_GenerateKey", true},       FunctionRow{"C_DestroyObject", true},
    FunctionRow{"C_GenerateRandom", true}};

// Of each class of pkcs11/ckr.h one, and of the device's the two that are special.
constexpr std::array<CK_RV, 10> kCodes{
    CKR_DATA_LEN_RANGE,     CKR_MECHANISM_INVALID,  CKR_SESSION_HANDLE_INVALID,
    CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID, CKR_PIN_INCORRECT,
    CKR_SESSION_COUNT,      CKR_DEVICE_ERROR,       CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_VENDOR_DEFINED + 1};

// Of several threads: the exceptions that callers were answered with.
class Answers {
 public:
  void Note(const Status& status) {
    MutexLock lock(mu_);
    ++calls_;
    if (!status.has_value()) seen_.emplace(Describe(status.error().exception).name);
  }
  void Restart() {
    MutexLock lock(mu_);
    calls_ = 0;
    seen_.clear();
  }
  int calls() const {
    MutexLock lock(mu_);
    return calls_;
  }
  std::string text() const {
    MutexLock lock(mu_);
    std::string text;
    for (const std::string& name : seen_) text += (text.empty() ? "" : ", ") + name;
    return text.empty() ? "nothing" : text;
  }

 private:
  mutable Mutex mu_;
  int calls_ HALLMARK_GUARDED_BY(mu_) = 0;
  std::set<std::string> seen_ HALLMARK_GUARDED_BY(mu_);
};

class FailureTableTest : public OpenedTokenTest {
 protected:
  void SetUp() override {
    OpenedTokenTest::SetUp();
    Reopen([](TokenOptions& options) { options.sessions = kPlaces; });
    for (const KeySpec spec : {KeySpec::kHmac256, KeySpec::kHmac512}) {
      keys_.push_back(Generate(spec));
      const Result<MacTag> tag = Mac(keys_.back());
      ASSERT_THAT(tag, IsOk());
      expected_.push_back(ToHex(tag->bytes()));
    }
  }
  void TearDown() override {
    FaultList::Outage().Clear();
    OpenedTokenTest::TearDown();
  }

  std::vector<std::jthread> Callers() {
    std::vector<std::jthread> callers;
    for (std::size_t caller = 0; caller < kPlaces; ++caller) {
      callers.emplace_back([this, which = caller % keys_.size()](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const Result<MacTag> tag = Start(keys_[which])->Wait();
          if (tag.has_value() && ToHex(tag->bytes()) != expected_[which]) ++wrong_;
          mac_answers_.Note(tag.has_value() ? Status() : Unexpected(tag.error()));
          if (!tag.has_value()) std::this_thread::sleep_for(milliseconds(1));
        }
      });
    }
    callers.emplace_back([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const CkaId id = RandomId();
        const Result<GeneratedKey> made = hsm_->GenerateKey(id, KeySpec::kHmac256, In(kLong));
        control_answers_.Note(made.has_value() ? Status() : Unexpected(made.error()));
        const Result<Bytes> random = hsm_->GenerateRandom(16, In(kLong));
        control_answers_.Note(random.has_value() ? Status() : Unexpected(random.error()));
        const Status destroyed = hsm_->DestroyKey(id, In(kLong));
        control_answers_.Note(destroyed);
        if (!destroyed.has_value()) litter_.push_back(id);
        std::this_thread::sleep_for(milliseconds(1));
      }
    });
    return callers;
  }

  // Until calls that began after now have been answered.
  void AwaitAnswers() {
    mac_answers_.Restart();
    control_answers_.Restart();
    EXPECT_TRUE(
        WaitUntil([this] { return mac_answers_.calls() >= 24 && control_answers_.calls() >= 9; }));
  }

  bool ServesAgain() {
    FaultList::Disarm();
    return WaitUntil([this] {
      for (std::size_t i = 0; i < keys_.size(); ++i) {
        const Result<MacTag> tag = Mac(keys_[i]);
        if (!tag.has_value() || ToHex(tag->bytes()) != expected_[i]) return false;
      }
      return hsm_->available();
    });
  }

  // Calls that are inside the token at once.
  bool EveryPlaceServes() {
    FaultList::Arm({.function = "C_Sign", .times = kPlaces, .hang = true});
    std::vector<std::shared_ptr<WaitingTask>> tasks;
    for (std::size_t place = 0; place < kPlaces; ++place) tasks.push_back(Start(keys_.front()));
    bool all = FaultList::WaitForHanging(kPlaces, kLong);
    FaultList::Disarm();
    for (const auto& task : tasks) all = task->Wait().has_value() && all;
    return all;
  }

  void CleanUp() {
    for (const CkaId& id : litter_) EXPECT_THAT(hsm_->DestroyKey(id, In(kLong)), IsOk());
    litter_.clear();
    EXPECT_LE(hsm_->open_sessions(), kPlaces + 2);
  }

  std::vector<MacKey> keys_;
  std::vector<std::string> expected_;
  std::vector<CkaId> litter_;
  std::atomic<int> wrong_{0};
  Answers mac_answers_;
  Answers control_answers_;
};

TEST_F(FailureTableTest, IsWhatCallersSee) {
  std::ostringstream table;
  table
      << "# What callers see when a PKCS#11 function fails\n\n"
         "Made by `failure_table_test` (`HALLMARK_UPDATE_GOLDEN=1` writes it anew): four callers "
         "of GenerateMac and one\nthat makes and destroys keys, while every call of one function "
         "answers with one code, and the module must be\ninitialised again if nothing else calls "
         "that function. Before that the code is answered three times. In every row: no wrong\n"
         "MAC, every call answered, and afterwards, without a restart, every place serves again. "
         "C_Login is not answered\nwith CKR_PIN_INCORRECT: the PIN would never be tried again, as "
         "it must not.\n\n"
         "| function | code | MACs | making and destroying keys |\n|---|---|---|---|\n";
  for (const FunctionRow& function : kFunctions) {
    for (const CK_RV rv : kCodes) {
      if (std::string_view(function.name) == "C_Login" && rv == CKR_PIN_INCORRECT) continue;
      SCOPED_TRACE(std::string(function.name) + " " + CkrName(rv));
      {
        const std::vector<std::jthread> callers = Callers();
        for (const std::size_t times : {std::size_t{3}, std::size_t{0}}) {
          FaultList::Arm({.function = function.name, .rv = rv, .times = times});
          if (!function.always_called) FaultList::Outage().BreakModule();
          AwaitAnswers();
        }
        AwaitAnswers();
        table << "| " << function.name << " | " << CkrName(rv) << " | " << mac_answers_.text()
              << " | " << control_answers_.text() << " |\n";
        FaultList::Disarm();
      }
      ASSERT_TRUE(ServesAgain());
      EXPECT_TRUE(EveryPlaceServes());
      CleanUp();
      EXPECT_EQ(wrong_, 0);
    }
  }
  testing::ExpectGolden(HALLMARK_FAILURE_TABLE, table.str());
}

}  // namespace
}  // namespace hallmark::pkcs11
