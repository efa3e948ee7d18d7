// Formatting an empty token.
#include "pkcs11/token_setup.h"
#include "tests/pkcs11/opened_token.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace hallmark::pkcs11 {
namespace {

using ::testing::HasSubstr;

class SetupTest : public ::testing::Test {
 protected:
  SetupTest() : options_(neighbour_.options()), so_pin_file_(neighbour_.directory() / "so.pin") {
    CkaId random;
    random_.Fill(random);
    options_.uri = "pkcs11:token=new-" + ToHex(random).substr(0, 12) + "?pin-source=user.pin";
    WriteSoPin("so-pin-of-the-new-token");
  }
  void TearDown() override { FaultList::Disarm(); }

  void WriteSoPin(const std::string& pin) {
    std::ofstream(so_pin_file_) << pin << "\n";
    ASSERT_EQ(::chmod(so_pin_file_.c_str(), 0600), 0);
  }
  Result<FormatOutcome, OpenError> Format() { return FormatToken(options_, so_pin_file_); }
  OpenError FormatFails() {
    const Result<FormatOutcome, OpenError> formatted = Format();
    if (!formatted.has_value()) return formatted.error();
    ADD_FAILURE() << "the token was formatted";
    return {};
  }

  SoftHsmToken neighbour_;  // sets the module up, and must not be touched
  service::OsRandom random_;
  TokenOptions options_;
  const std::filesystem::path so_pin_file_;
};

TEST_F(SetupTest, FormatsATokenThatCanBeUsedAtOnce) {
  const Result<FormatOutcome, OpenError> formatted = Format();
  ASSERT_TRUE(formatted.has_value()) << formatted.error().message;
  EXPECT_EQ(*formatted, FormatOutcome::kFormatted);
  const Result<TokenRecord, OpenError> anchor = InitToken(options_, random_);
  ASSERT_TRUE(anchor.has_value()) << anchor.error().message;
  EXPECT_TRUE(Open(options_, *anchor, random_, nullptr).has_value());
}

TEST_F(SetupTest, DoesNotTouchATokenThatIsReady) {
  ASSERT_TRUE(Format().has_value());
  const Result<TokenRecord, OpenError> anchor = InitToken(options_, random_);
  ASSERT_TRUE(anchor.has_value()) << anchor.error().message;
  FaultList::ResetCalls();
  const Result<FormatOutcome, OpenError> again = Format();
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(*again, FormatOutcome::kWasReady);
  EXPECT_EQ(FaultList::Calls("C_InitToken"), 0u);
  EXPECT_EQ(FaultList::Calls("C_InitPIN"), 0u);
  EXPECT_TRUE(Open(options_, *anchor, random_, nullptr).has_value());
}

TEST_F(SetupTest, GoesOnWhereAnEarlierRunStopped) {
  FaultList::ResetCalls();
  FaultList::Arm({.function = "C_InitPIN", .rv = CKR_DEVICE_ERROR});
  EXPECT_EQ(FormatFails().failure, OpenFailure::kTokenError);
  const Result<FormatOutcome, OpenError> repeated = Format();
  ASSERT_TRUE(repeated.has_value()) << repeated.error().message;
  EXPECT_EQ(*repeated, FormatOutcome::kFormatted);
  EXPECT_EQ(FaultList::Calls("C_InitToken"), 1u);
  EXPECT_TRUE(InitToken(options_, random_).has_value());
}

TEST_F(SetupTest, NamesTheSecurityOfficersPinWhenARepetitionBringsAnother) {
  FaultList::Arm({.function = "C_InitPIN", .rv = CKR_DEVICE_ERROR});
  EXPECT_EQ(FormatFails().failure, OpenFailure::kTokenError);
  WriteSoPin("another-so-pin");
  const OpenError error = FormatFails();
  EXPECT_EQ(error.failure, OpenFailure::kPinRefused);
  EXPECT_THAT(error.message, HasSubstr("security officer's PIN"));
  EXPECT_THAT(error.message, ::testing::Not(HasSubstr("another-so-pin")));
}

TEST_F(SetupTest, RefusesAUriThatNamesNoToken) {
  options_.uri = "pkcs11:model=SoftHSM%20v2?pin-source=user.pin";
  const OpenError error = FormatFails();
  EXPECT_EQ(error.failure, OpenFailure::kConfiguration);
}

}  // namespace
}  // namespace hallmark::pkcs11
