#include "service/app/validation.h"

#include "hallmark/v1/admin.pb.h"
#include "hallmark/v1/kms.pb.h"
#include "service/app/character_class.h"
#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace hallmark::app {
namespace {

using testing::IsOk;
using testing::RaisesWith;

v1::GenerateMacRequest Valid() {
  v1::GenerateMacRequest request;
  request.set_key_id("alias/demo");
  request.set_message("m");
  request.set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
  return request;
}

struct Row {
  const char* name;
  std::function<void(v1::GenerateMacRequest&)> spoil;
  std::string violations;  // behind "… validation error(s) detected: "
  int count = 1;
};

class GenerateMacSchemaTest : public ::testing::TestWithParam<Row> {};

TEST_P(GenerateMacSchemaTest, ViolationsAreReportedInTheFramedText) {
  v1::GenerateMacRequest request = Valid();
  GetParam().spoil(request);
  const std::string frame =
      GetParam().count == 1 ? "1 validation error detected: "
                            : std::to_string(GetParam().count) + " validation errors detected: ";
  EXPECT_THAT(Validate(request),
              RaisesWith(Exception::kValidationException, frame + GetParam().violations));
}

using Request = v1::GenerateMacRequest;

INSTANTIATE_TEST_SUITE_P(
    Schema, GenerateMacSchemaTest,
    ::testing::ValuesIn<Row>({
        {"NoKeyId", [](Request& r) { r.clear_key_id(); },
         "Value null at 'keyId' failed to satisfy constraint: Member must not be null"},
        {"EmptyKeyId", [](Request& r) { r.set_key_id(""); },
         "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than "
         "or "
         "equal to 1"},
        {"LongKeyId", [](Request& r) { r.set_key_id(std::string(2049, 'k')); },
         "Value '" + std::string(2049, 'k') +
             "' at 'keyId' failed to satisfy constraint: Member must have length less than or "
             "equal to "
             "2048"},
        {"NoMessage", [](Request& r) { r.clear_message(); },
         "Value null at 'message' failed to satisfy constraint: Member must not be null"},
        {"EmptyMessage", [](Request& r) { r.set_message(""); },
         "Value at 'message' failed to satisfy constraint: Member must have length greater than or "
         "equal "
         "to 1"},
        {"LongMessage", [](Request& r) { r.set_message(std::string(4097, 'm')); },
         "Value at 'message' failed to satisfy constraint: Member must have length less than or "
         "equal to "
         "4096"},
        {"NoAlgorithm", [](Request& r) { r.clear_mac_algorithm(); },
         "Value null at 'macAlgorithm' failed to satisfy constraint: Member must not be null"},
        {"UnspecifiedAlgorithm",
         [](Request& r) { r.set_mac_algorithm(v1::MAC_ALGORITHM_UNSPECIFIED); },
         "Value null at 'macAlgorithm' failed to satisfy constraint: Member must not be null"},
        {"UnknownAlgorithm",
         [](Request& r) { r.set_mac_algorithm(static_cast<v1::MacAlgorithm>(99)); },
         "Value '99' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum "
         "value set: "
         "[HMAC_SHA_224, HMAC_SHA_256, HMAC_SHA_384, HMAC_SHA_512]"},
        {"ElevenGrantTokens",
         [](Request& r) {
           for (int i = 0; i < 11; ++i) r.add_grant_tokens("t");
         },
         "Value at 'grantTokens' failed to satisfy constraint: Member must have length less than "
         "or equal "
         "to 10"},
        {"EmptyGrantToken", [](Request& r) { r.add_grant_tokens(""); },
         "Value at 'grantTokens.1.member' failed to satisfy constraint: Member must have length "
         "greater than or equal to 1"},
        {"AllAtOnce",
         [](Request& r) {
           r.clear_key_id();
           r.set_message("");
         },
         "Value at 'message' failed to satisfy constraint: Member must have length greater than or "
         "equal "
         "to 1; Value null at 'keyId' failed to satisfy constraint: Member must not be null",
         2},
    }),
    [](const auto& row) { return row.param.name; });

TEST(ValidationTest, TheLimitsThemselvesAreAllowed) {
  v1::GenerateMacRequest request = Valid();
  request.set_message(std::string(4096, 'm'));
  request.set_key_id(std::string(2048, 'k'));
  for (int i = 0; i < 10; ++i) request.add_grant_tokens(std::string(8192, 't'));
  EXPECT_THAT(Validate(request), IsOk());
}

TEST(ValidationTest, StringsAreMeasuredInCodePoints) {
  v1::CreateKeyRequest request;
  std::string text;
  for (int i = 0; i < 8192; ++i) text += "\xC3\xA9";
  request.set_description(text);
  EXPECT_THAT(Validate(request), IsOk());
}

TEST(ValidationTest, MembersOfListsHaveOneBasedPaths) {
  v1::CreateKeyRequest request;
  request.add_tags()->set_tag_key("ok");
  request.mutable_tags(0)->set_tag_value("");
  request.add_tags()->set_tag_key(std::string(129, 'k'));
  request.mutable_tags(1)->set_tag_value("v");
  EXPECT_THAT(
      Validate(request),
      RaisesWith(Exception::kValidationException,
                 "1 validation error detected: Value '" + std::string(129, 'k') +
                     "' at 'tags.2.member.tagKey' failed to satisfy constraint: Member must "
                     "have length less than or equal to 128"));
}

TEST(ValidationTest, ThousandsOfViolationsAreNotSpeltOut) {
  v1::CreateKeyRequest request;
  for (int i = 0; i < 30'000; ++i) request.add_tags();
  const Status status = Validate(request);
  ASSERT_FALSE(status.has_value());
  EXPECT_TRUE(status.error().message.starts_with("10 validation errors detected: "));
  EXPECT_LT(status.error().message.size(), 2'000U);
}

TEST(ValidationTest, NumbersOutsideTheirRangeAreShown) {
  v1::ListKeysRequest request;
  request.set_limit(0);
  EXPECT_THAT(Validate(request),
              RaisesWith(Exception::kValidationException,
                         "1 validation error detected: Value '0' at 'limit' failed to satisfy "
                         "constraint: Member must have value greater than or equal to 1"));
  request.set_limit(1001);
  EXPECT_THAT(Validate(request),
              RaisesWith(Exception::kValidationException,
                         "1 validation error detected: Value '1001' at 'limit' failed to satisfy "
                         "constraint: Member must have value less than or equal to 1000"));
}

TEST(ValidationTest, PatternsAreReportedAsWritten) {
  v1::CreateAliasRequest request;
  request.set_alias_name("alias/ä");
  request.set_target_key_id("x");
  EXPECT_THAT(
      Validate(request),
      RaisesWith(Exception::kValidationException,
                 "1 validation error detected: Value 'alias/ä' at 'aliasName' failed to satisfy "
                 "constraint: Member must satisfy regular expression pattern: "
                 "^[a-zA-Z0-9:/_-]+$"));
}

TEST(CharacterClassTest, MatchesRangesSinglesAndCodePoints) {
  const CharacterClass ascii("^[a-zA-Z0-9:/_-]+$");
  EXPECT_TRUE(ascii.MatchesAll("alias/Abc-9_:z"));
  EXPECT_FALSE(ascii.MatchesAll("a b"));
  EXPECT_FALSE(ascii.MatchesAll("é"));
  const CharacterClass latin("^[ -ÿ]+$");
  EXPECT_TRUE(latin.MatchesAll("é"));
  EXPECT_FALSE(latin.MatchesAll("€"));
}

TEST(CharacterClassTest, KnowsTheEscapesOfTheSchema) {
  const CharacterClass principal("^[\\w+=,.@:/-]+$");
  EXPECT_TRUE(principal.MatchesAll("arn:aws:iam::111122223333:role/A_b-9@c.d,e=f+g"));
  EXPECT_FALSE(principal.MatchesAll("\\"));
  EXPECT_FALSE(principal.MatchesAll("é"));
  const CharacterClass document("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+");
  EXPECT_TRUE(document.MatchesAll("{\t\r\n\"é\"}"));
  EXPECT_FALSE(document.MatchesAll("€"));
  EXPECT_FALSE(document.MatchesAll("\x0b"));
}

// A constraint that cannot be applied ends the process when the message first comes.
TEST(ValidationTest, TheConstraintsOfEveryRequestAreUnderstood) {
  for (const auto* file : {v1::CreateKeyRequest::descriptor()->file(),
                           v1::AddPrincipalRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int k = 0; k < file->service(i)->method_count(); ++k) {
        const auto* type = file->service(i)->method(k)->input_type();
        const std::unique_ptr<google::protobuf::Message> request(
            google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
        static_cast<void>(Validate(*request));
      }
    }
  }
}

TEST(ValidationTest, EveryItemOfAListOfNamesIsLookedAt) {
  v1::CreateGrantRequest request;
  request.set_key_id("x");
  request.set_grantee_principal("x");
  request.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
  EXPECT_THAT(Validate(request), IsOk());
  v1::CreateGrantRequest without = request;
  without.clear_operations();
  EXPECT_THAT(
      Validate(without),
      RaisesWith(Exception::kValidationException,
                 "1 validation error detected: Value null at 'operations' failed to satisfy "
                 "constraint: Member must not be null"));
  for (const int unknown : {0, 99, -1}) {
    v1::CreateGrantRequest with_unknown = request;
    with_unknown.add_operations(static_cast<v1::GrantOperation>(unknown));
    const Status status = Validate(with_unknown);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message.substr(0, status.error().message.find('[')),
              "1 validation error detected: Value '" + std::to_string(unknown) +
                  "' at 'operations.2.member' failed to satisfy constraint: Member must satisfy "
                  "enum value set: ");
  }
}

}  // namespace
}  // namespace hallmark::app
