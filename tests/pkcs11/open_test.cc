// Opening a token: module, URI, PIN, anchor.
#include "pkcs11/token_hsm.h"
#include "tests/pkcs11/opened_token.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace hallmark::pkcs11 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OpenTest : public ::testing::Test {
 protected:
  OpenTest() : options_(token_.options()) {}

  OpenError OpenFails() {
    Result<OpenToken, OpenError> open = Open(options_, anchor_, random_, nullptr);
    if (!open.has_value()) return open.error();
    ADD_FAILURE() << "the token was opened";
    return {};
  }

  void MakeAnchor() {
    const Result<TokenRecord, OpenError> anchor = InitToken(options_, random_);
    ASSERT_TRUE(anchor.has_value()) << anchor.error().message;
    anchor_ = *anchor;
  }

  bool Opens() { return Open(options_, anchor_, random_, nullptr).has_value(); }

  SoftHsmToken token_;
  service::OsRandom random_;
  TokenOptions options_;
  TokenRecord anchor_;
};

TEST_F(OpenTest, RecordsWhatTheTokenIs) {
  MakeAnchor();
  EXPECT_EQ(anchor_.token_id, "test");
  EXPECT_EQ(anchor_.label, token_.label());
  EXPECT_THAT(anchor_.manufacturer, HasSubstr("SoftHSM"));
  EXPECT_NE(anchor_.anchor_cka_id, CkaId{});
  EXPECT_NE(anchor_.anchor_check_value, KeyCheckValue{});
  EXPECT_TRUE(Opens());
}

TEST_F(OpenTest, NamesAMissingModule) {
  options_.module = "/nonexistent/module.so";
  const OpenError error = OpenFails();
  EXPECT_EQ(error.failure, OpenFailure::kConfiguration);
  EXPECT_THAT(error.message, HasSubstr("/nonexistent/module.so"));
}

TEST_F(OpenTest, RefusesALibraryThatIsNoModule) {
  options_.module = "/lib/x86_64-linux-gnu/libm.so.6";
  const OpenError error = OpenFails();
  EXPECT_EQ(error.failure, OpenFailure::kConfiguration);
  EXPECT_THAT(error.message, HasSubstr("is not a PKCS#11 module"));
}

TEST_F(OpenTest, RefusesAPinInTheUriWithoutShowingIt) {
  options_.uri = "pkcs11:token=x?pin-value=74119";
  const OpenError error = OpenFails();
  EXPECT_EQ(error.failure, OpenFailure::kConfiguration);
  EXPECT_THAT(error.message, HasSubstr("pin-source"));
  EXPECT_THAT(error.message, Not(HasSubstr("74119")));
}

// p11-kit skips white space and gives up at the first mistake, so neither the text as it stands nor
// p11-kit's own reading shows every PIN.
TEST_F(OpenTest, NeverShowsAPinWhateverIsWrongWithItsUri) {
  for (const char* uri :
       {"pkcs11:token=%zz?pin-va lue=74119", "pkcs11:pin-va lue=74119?token=%zz",
        "pkcs11:token=x?PIN-VALUE=74119", "pkcs11:token=x?pin%2dvalue=74119",
        "pkcs11:token=x?pin-vaule=74119", "pkcs11:token=x?pin-source=http://x&pin-vaule=74119"}) {
    options_.uri = uri;
    const OpenError error = OpenFails();
    EXPECT_EQ(error.failure, OpenFailure::kConfiguration) << uri;
    EXPECT_THAT(error.message, Not(HasSubstr("74119")));
  }
}

TEST_F(OpenTest, RefusesAUriOfWhichOnlyTheStartWouldBeRead) {
  for (const std::string& uri :
       {options_.uri + std::string("\0?pin-source=no", 15), options_.uri + "%00"}) {
    options_.uri = uri;
    const OpenError error = OpenFails();
    EXPECT_EQ(error.failure, OpenFailure::kConfiguration);
    EXPECT_THAT(error.message, HasSubstr("NUL"));
  }
}

TEST_F(OpenTest, RefusesWhatIsNoUri) {
  options_.uri = "token=x";
  EXPECT_EQ(OpenFails().failure, OpenFailure::kConfiguration);
}

TEST_F(OpenTest, NamesAUriThatMatchesNothing) {
  options_.uri = "pkcs11:token=no-such-token?pin-source=user.pin";
  const OpenError error = OpenFails();
  EXPECT_EQ(error.failure, OpenFailure::kTokenAbsent);
  EXPECT_THAT(error.message, HasSubstr("no-such-token"));
}

TEST_F(OpenTest, RefusesAUriThatMatchesTwoTokens) {
  const SoftHsmToken another;
  options_.uri = "pkcs11:model=SoftHSM%20v2?pin-source=user.pin";
  EXPECT_EQ(OpenFails().failure, OpenFailure::kConfiguration);
}

TEST_F(OpenTest, ReadsThePinFromAFileUri) {
  options_.uri =
      "pkcs11:token=" + token_.label() + "?pin-source=file:" + token_.pin_file().string();
  MakeAnchor();
  EXPECT_TRUE(Opens());
}

TEST_F(OpenTest, RefusesAPinFileThatOthersCanRead) {
  ASSERT_EQ(::chmod(token_.pin_file().c_str(), 0640), 0);
  const OpenError error = OpenFails();
  EXPECT_EQ(error.failure, OpenFailure::kConfiguration);
  EXPECT_THAT(error.message, HasSubstr("chmod 600"));
}

TEST_F(OpenTest, RefusesATokenWithoutItsAnchor) {
  random_.Fill(anchor_.anchor_cka_id);
  const OpenError error = OpenFails();
  EXPECT_EQ(error.failure, OpenFailure::kTokenAbsent);
  EXPECT_THAT(error.message, HasSubstr("hallmark token init"));
}

TEST_F(OpenTest, RefusesATokenWithAnotherAnchorKey) {
  MakeAnchor();
  anchor_.anchor_check_value[0] ^= std::byte{1};
  EXPECT_EQ(OpenFails().failure, OpenFailure::kTokenAbsent);
}

TEST_F(OpenTest, TriesAWrongPinOnceAndTheCorrectedOneAgain) {
  MakeAnchor();
  const std::string right = token_.ReplacePin("wrong-pin");
  FaultList::ResetCalls();
  EXPECT_EQ(OpenFails().failure, OpenFailure::kPinRefused);
  EXPECT_EQ(FaultList::Calls("C_Login"), 1u);

  const OpenError again = OpenFails();
  EXPECT_EQ(again.failure, OpenFailure::kPinRefused);
  EXPECT_THAT(again.message, HasSubstr("not tried again"));
  EXPECT_THAT(again.message, Not(HasSubstr("wrong-pin")));
  EXPECT_EQ(FaultList::Calls("C_Login"), 1u);

  static_cast<void>(token_.ReplacePin(right));
  EXPECT_TRUE(Opens());
  EXPECT_EQ(FaultList::Calls("C_Login"), 2u);
}

TEST_F(OpenTest, KeepsTheLatchPrivateAndFreeOfThePin) {
  MakeAnchor();
  static_cast<void>(token_.ReplacePin("wrong-pin"));
  EXPECT_EQ(OpenFails().failure, OpenFailure::kPinRefused);
  const std::filesystem::path latch = token_.directory() / "pin-refused-test";
  struct stat status {};
  ASSERT_EQ(::stat(latch.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  std::ifstream in(latch);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, Not(HasSubstr("wrong-pin")));
}

TEST_F(OpenTest, TriesNoPinWhenSomebodyElseTriedAWrongOne) {
  MakeAnchor();
  const std::string right = token_.ReplacePin("wrong-pin");
  EXPECT_EQ(OpenFails().failure, OpenFailure::kPinRefused);
  static_cast<void>(token_.ReplacePin(right));
  std::filesystem::remove(token_.directory() / "pin-refused-test");  // as if it had not been us

  FaultList::ResetCalls();
  const OpenError error = OpenFails();
  EXPECT_EQ(error.failure, OpenFailure::kPinRefused);
  EXPECT_THAT(error.message, HasSubstr("pkcs11-tool"));
  EXPECT_EQ(FaultList::Calls("C_Login"), 0u);

  { const TestSession good_login(token_); }
  EXPECT_TRUE(Opens());
}

TEST_F(OpenTest, TriesNoPinWhenItCouldNotRememberARefusal) {
  MakeAnchor();
  options_.state_directory = token_.directory() / "missing";
  FaultList::ResetCalls();
  EXPECT_EQ(OpenFails().failure, OpenFailure::kConfiguration);
  EXPECT_EQ(FaultList::Calls("C_Login"), 0u);
}

}  // namespace
}  // namespace hallmark::pkcs11
