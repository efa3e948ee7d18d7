// What is written is read back, and what is read reaches the check of the schema.
#include "service/wire/json_codec.h"

#include "hallmark/v1/kms.pb.h"
#include "service/app/validation.h"
#include "tests/service/wire/sample_messages.h"
#include "tests/support/result_matchers.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>

namespace hallmark::wire {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::IsOk;
using testing::RaisesWith;

TEST(JsonCodecTest, EveryRequestAndAnswerSurvivesTheRoundTrip) {
  for (const auto* method : KmsMethods()) {
    for (const auto* type : {method->input_type(), method->output_type()}) {
      const auto message = NewMessage(type);
      FillSample(Extensions::kAbsent, message.get());
      const std::string body = ToKmsJson(*message);
      const auto again = NewMessage(type);
      ASSERT_THAT(FromKmsJson(body, again.get()), IsOk()) << body;
      EXPECT_TRUE(MessageDifferencer::Equals(*message, *again)) << body;
    }
  }
}

TEST(JsonCodecTest, ExtensionsAreWrittenNowhere) {
  for (const auto* method : KmsMethods()) {
    for (const auto* type : {method->input_type(), method->output_type()}) {
      const auto with = NewMessage(type);
      FillSample(Extensions::kFilled, with.get());
      const auto without = NewMessage(type);
      FillSample(Extensions::kAbsent, without.get());
      EXPECT_EQ(ToKmsJson(*with), ToKmsJson(*without)) << type->name();
    }
  }
}

TEST(JsonCodecTest, AnUnknownEnumTextIsReportedWithTheOtherViolations) {
  v1::GenerateMacRequest request;
  ASSERT_THAT(FromKmsJson(R"({"MacAlgorithm":"HMAC_SHA_1","Message":""})", &request), IsOk());
  EXPECT_THAT(app::Validate(request),
              RaisesWith(Exception::kValidationException,
                         "3 validation errors detected: Value at 'message' failed to satisfy "
                         "constraint: Member must have length greater than or equal to 1; Value "
                         "null at 'keyId' failed to satisfy constraint: Member must not be null; "
                         "Value 'HMAC_SHA_1' at 'macAlgorithm' failed to satisfy constraint: "
                         "Member must satisfy enum value set: [HMAC_SHA_224, HMAC_SHA_256, "
                         "HMAC_SHA_384, HMAC_SHA_512]"));
}

TEST(JsonCodecTest, TheWordForAnAbsentEnumIsNoValueOfIt) {
  for (const std::string text : {"", "UNSPECIFIED", "MAC_ALGORITHM_HMAC_SHA_256", "2"}) {
    v1::GenerateMacRequest request;
    const std::string body = R"({"KeyId":"k","Message":"bQ==","MacAlgorithm":")" + text + R"("})";
    ASSERT_THAT(FromKmsJson(body, &request), IsOk());
    EXPECT_THAT(app::Validate(request),
                RaisesWith(Exception::kValidationException,
                           "1 validation error detected: Value '" + text +
                               "' at 'macAlgorithm' failed to satisfy constraint: Member must "
                               "satisfy enum value set: [HMAC_SHA_224, HMAC_SHA_256, "
                               "HMAC_SHA_384, HMAC_SHA_512]"));
  }
}

TEST(JsonCodecTest, UnknownEnumTextsInAListAreReportedAtTheirPlaces) {
  v1::CreateGrantRequest request;
  ASSERT_THAT(FromKmsJson(R"({"KeyId":"k","GranteePrincipal":"p",)"
                          R"("Operations":["generatemac","GenerateMac","Dance"]})",
                          &request),
              IsOk());
  const Status status = app::Validate(request);
  ASSERT_FALSE(status.has_value());
  const std::string& text = status.error().message;
  EXPECT_EQ(text.find("2 validation errors detected: Value 'generatemac' at "
                      "'operations.1.member' failed to satisfy constraint: Member must satisfy "
                      "enum value set: [Decrypt, "),
            0U)
      << text;
  EXPECT_NE(text.find("; Value 'Dance' at 'operations.3.member' failed"), std::string::npos)
      << text;
}

// Only who rewrites a body would do this; what was read must not get lost.
TEST(JsonCodecTest, UnknownEnumTextsSurviveTheRoundTrip) {
  const std::string body = R"({"Operations":["Dance","GenerateMac",""],"GrantTokens":[]})";
  v1::CreateGrantRequest request;
  ASSERT_THAT(FromKmsJson(body, &request), IsOk());
  EXPECT_EQ(ToKmsJson(request), body);
}

}  // namespace
}  // namespace hallmark::wire
