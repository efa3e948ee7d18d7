// One suite for every PKCS#11 implementation: run by tests/support/providers/run, which sets up a
// new token. What a token does is compared with its report in pkcs11/doctor/reports.
#include "pkcs11/doctor/doctor.h"
#include "service/cli/diagnosis_text.h"
#include "service/config/config.h"
#include "tests/pkcs11/opened_token.h"
#include "tests/support/child_process.h"
#include "tests/support/golden.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

// How many key specs Hallmark serves on it with keys that it makes itself.
struct Provider {
  std::string_view name;
  std::size_t specs;
  // Sends its tokens into the world with numbers of their own.
  bool random_serial;
};
constexpr std::array kProviders{
    Provider{"softhsm", 4, true},
    Provider{"nss", 4, false},
    Provider{"opencryptoki", 3, false},
    Provider{"tpm", 0, false},
};

class ConformanceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* home = std::getenv("HALLMARK_PROVIDER_HOME");
    ASSERT_NE(home, nullptr) << "run by tests/support/providers/run";
    home_ = home;
    const auto config = service::LoadConfig(home_ + "/hallmarkd.toml");
    ASSERT_TRUE(config.has_value()) << config.error().front().message;
    options_ = config->tokens.front();
    remoted_ = std::getenv("HALLMARK_REMOTED") != nullptr;
    if (!remoted_) options_.sessions = 2;  // on every machine
    std::filesystem::create_directory(options_.state_directory);
    for (const Provider& provider : kProviders) {
      if (provider.name == options_.token_id) provider_ = &provider;
    }
    ASSERT_NE(provider_, nullptr) << options_.token_id;
  }

  Diagnosis ExamineToken() {
    auto diagnosis = Examine(options_, random_, {std::chrono::milliseconds(20), 2});
    if (diagnosis.has_value()) return *std::move(diagnosis);
    ADD_FAILURE() << diagnosis.error().message;
    return {};
  }

  static Result<MacTag> Mac(Hsm& hsm, const MacKey& key, const std::string& message) {
    const auto task = std::make_shared<WaitingTask>(key, message, In(kLong));
    hsm.ComputeMac(task);
    return task->Wait();
  }

  // Makes a key of every spec the token has, uses it before and after the token was opened again,
  // and destroys it.
  void ServeKeys() {
    const auto anchor = InitToken(options_, random_);
    ASSERT_TRUE(anchor.has_value()) << anchor.error().message;
    auto open = Open(options_, *anchor, random_, events_.sink());
    ASSERT_TRUE(open.has_value()) << open.error().message;

    struct Made {
      MacKey key;
      std::string tag_hex;
    };
    std::vector<Made> made;
    for (const KeySpecRow& row : kKeySpecs) {
      MacKey key{{}, row.spec, {}};
      random_.Fill(key.cka_id);
      const auto generated = open->hsm->GenerateKey(key.cka_id, row.spec, In(kLong));
      if (!generated.has_value()) {
        EXPECT_THAT(generated, Raises(Exception::kUnsupportedOperationException));
        continue;
      }
      key.check_value = generated->check_value;
      const auto tag = Mac(*open->hsm, key, "a message");
      ASSERT_THAT(tag, IsOk());
      EXPECT_EQ(tag->bytes().size(), row.mac_bytes);
      made.push_back({key, ToHex(tag->bytes())});
    }
    EXPECT_EQ(made.size(), remoted_ ? 3 : provider_->specs);

    open->hsm.reset();
    open = Open(options_, *anchor, random_, events_.sink());
    ASSERT_TRUE(open.has_value()) << open.error().message;
    for (const Made& each : made) {
      const auto tag = Mac(*open->hsm, each.key, "a message");
      ASSERT_THAT(tag, IsOk());
      EXPECT_EQ(ToHex(tag->bytes()), each.tag_hex);
      EXPECT_THAT(open->hsm->DestroyKey(each.key.cka_id, In(kLong)), IsOk());
      EXPECT_THAT(Mac(*open->hsm, each.key, "a message"),
                  Raises(Exception::kKeyUnavailableException));
    }
  }

  service::OsRandom random_;
  std::string home_;
  TokenOptions options_;
  const Provider* provider_ = nullptr;
  // Behind p11-kit, which knows nothing of SHA-224.
  bool remoted_ = false;
  EventLog events_;
};

// First: what it leaves behind, the others would see.
TEST_F(ConformanceTest, ATokenIsWhatItsReportSays) {
  Diagnosis diagnosis = ExamineToken();
  // What differs from run to run.
  diagnosis.rates.reset();
  if (provider_->random_serial) diagnosis.identity.serial = "of its own";
  testing::ExpectGolden(std::filesystem::path(HALLMARK_REPORTS) /
                            (std::string(provider_->name) + (remoted_ ? "-remoted.txt" : ".txt")),
                        cli::DescribeDiagnosis(options_.token_id, diagnosis));
}

// NSS alone lets a copy be extractable that a key may not be.
TEST_F(ConformanceTest, OnlyTokensThatEnforceAreInitialisedWithoutAReason) {
  const auto diagnosis = ExamineEnforcement(options_, random_);
  ASSERT_TRUE(diagnosis.has_value()) << diagnosis.error().message;
  EXPECT_EQ(diagnosis->lets_keys_out(), provider_->name == "nss");
  EXPECT_EQ(diagnosis->enforces(), provider_->specs > 0 && provider_->name != "nss");
}

TEST_F(ConformanceTest, KeysAreServed) {
  if (provider_->specs == 0) GTEST_SKIP() << "makes no keys";
  ServeKeys();
}

TEST_F(ConformanceTest, KeysAreServedThroughTokenHosts) {
  if (provider_->specs == 0) GTEST_SKIP() << "makes no keys";
  options_.hosts = 2;
  ServeKeys();
}

// Last: it changes the configuration.
TEST_F(ConformanceTest, TheCommandLineWantsAReasonForAWeakToken) {
  if (provider_->specs == 0) GTEST_SKIP() << "makes no keys";
  const std::vector<std::string> init{HALLMARK_PROGRAM, "token", "init", "--home", home_};
  if (provider_->name == "nss") {
    const testing::Finished refused = testing::Run(init);
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_THAT(refused.errors, ::testing::HasSubstr("token.nss.accept_weak_token"));
    std::ofstream(home_ + "/hallmarkd.toml", std::ios::app)
        << "accept_weak_token = \"this test\"\n";
  }
  const testing::Finished made = testing::Run(init);
  EXPECT_EQ(made.exit_code, 0) << made.errors;
}

TEST_F(ConformanceTest, ATokenThatMakesNoKeysCannotBeInitialised) {
  if (provider_->specs > 0) GTEST_SKIP() << "makes keys";
  const auto anchor = InitToken(options_, random_);
  ASSERT_FALSE(anchor.has_value());
  EXPECT_EQ(anchor.error().failure, OpenFailure::kTokenError) << anchor.error().message;
}

}  // namespace
}  // namespace hallmark::pkcs11
