// What is signed, against what botocore signs, and the form of the Authorization header.
#include "service/authn/sigv4.h"

#include "service/authn/sigv4_authenticator.h"
#include "tests/service/authn/signed_requests.h"
#include "tests/support/result_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <ostream>
#include <string>
#include <vector>

namespace hallmark::authn {
namespace {

using hallmark::testing::IsOk;
using hallmark::testing::Raises;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const json& Vectors() {
  static const json kVectors = json::parse(std::ifstream(HALLMARK_SIGV4_VECTORS));
  return kVectors;
}

struct Vector {
  std::string name;
  SentRequest request;
  std::string canonical_request;
  std::string string_to_sign;

  friend void PrintTo(const Vector& vector, std::ostream* out) { *out << vector.name; }
};

std::vector<Vector> ReadVectors() {
  std::vector<Vector> vectors;
  for (const json& read : Vectors().at("vectors")) {
    Vector vector{
        read.at("name"),
        {.method = read.at("method"), .target = read.at("target"), .body = read.at("body")},
        read.at("canonical_request"),
        read.at("string_to_sign")};
    for (const json& header : read.at("headers")) {
      vector.request.headers.emplace_back(header.at(0), header.at(1));
    }
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

class SigV4VectorTest : public ::testing::TestWithParam<Vector> {};

TEST_P(SigV4VectorTest, BotocoreSignsTheSameText) {
  const Vector& vector = GetParam();
  const std::string header = vector.request.Get("Authorization");
  const auto claim = ParseAuthorization(header);
  ASSERT_THAT(claim, IsOk());
  const auto canonical = vector.request.Show([&](const SignedRequest& request) {
    return CanonicalRequest(request, *claim, ToHex(Sha256(request.body)));
  });
  ASSERT_THAT(canonical, IsOk());
  EXPECT_EQ(*canonical, vector.canonical_request);
  EXPECT_EQ(StringToSign(std::string(Vectors().at("time")), claim->scope, *canonical),
            vector.string_to_sign);
}

TEST_P(SigV4VectorTest, TheSignatureOfBotocoreIsRight) {
  const std::string access_key_id = Vectors().at("access_key_id");
  const TestSealer sealer(access_key_id);
  EXPECT_EQ(ToHex(DeriveSecretAccessKey(sealer, access_key_id).RevealForHsm()),
            Vectors().at("secret_access_key"));
  PrincipalDirectory principals;
  principals.Publish(UserWithKeys("Botocore", {access_key_id}));
  const SettableClock clock;
  TestMarks marks;
  SigV4Authenticator authenticator({.region = Vectors().at("region")}, principals, sealer, marks,
                                   clock);
  EXPECT_THAT(GetParam().request.Show([&](const SignedRequest& request) {
    return authenticator.Authenticate(request);
  }),
              IsOk());
}

INSTANTIATE_TEST_SUITE_P(Botocore, SigV4VectorTest, ::testing::ValuesIn(ReadVectors()),
                         [](const auto& vector) { return vector.param.name; });

constexpr std::string_view kDigest =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string Authorization(const std::string& parts) { return "AWS4-HMAC-SHA256 " + parts; }

const std::string kCredential = "Credential=K/20261122/us-west-2/kms/aws4_request";
const std::string kSignedHeaders = "SignedHeaders=host;x-amz-date";
const std::string kSignature = "Signature=" + std::string(kDigest);

TEST(ParseAuthorizationTest, PartsMayStandInAnyOrderWithAnySpacesBetweenThem) {
  for (const std::string& text :
       {kCredential + ", " + kSignedHeaders + ", " + kSignature,
        kSignature + "," + kSignedHeaders + "," + kCredential,
        "  " + kSignedHeaders + " ,\t" + kCredential + "  ,   " + kSignature + "  "}) {
    const std::string header = Authorization(text);
    const auto claim = ParseAuthorization(header);
    ASSERT_THAT(claim, IsOk()) << header;
    EXPECT_EQ(claim->access_key_id, "K");
    EXPECT_EQ(claim->scope.day, "20261122");
    EXPECT_EQ(claim->scope.region, "us-west-2");
    EXPECT_EQ(claim->scope.service, "kms");
    EXPECT_EQ(claim->scope.terminator, "aws4_request");
    EXPECT_EQ(claim->signed_headers, "host;x-amz-date");
    EXPECT_THAT(claim->signed_names, ElementsAre("host", "x-amz-date"));
    EXPECT_EQ(claim->signature, kDigest);
  }
}

struct Malformed {
  const char* name;
  std::string header;
  Exception raises;
  std::string says;

  friend void PrintTo(const Malformed& row, std::ostream* out) { *out << row.name; }
};

std::string ManyHeaders() {
  std::string names = "h00";
  for (int i = 1; i <= 64; ++i) names += ";h" + std::string(i < 10 ? "0" : "") + std::to_string(i);
  return names;
}

class MalformedAuthorizationTest : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedAuthorizationTest, IsRefusedWithItsReasonAndNotRepeated) {
  const auto claim = ParseAuthorization(GetParam().header);
  ASSERT_THAT(claim, Raises(GetParam().raises));
  EXPECT_THAT(claim.error().message, HasSubstr(GetParam().says));
  EXPECT_THAT(ToString(claim.error()), Not(HasSubstr("hunter2")));
}

constexpr Exception kMissing = Exception::kMissingAuthenticationTokenException;
constexpr Exception kIncomplete = Exception::kIncompleteSignatureException;

INSTANTIATE_TEST_SUITE_P(
    Headers, MalformedAuthorizationTest,
    ::testing::ValuesIn(std::vector<Malformed>{
        {"Empty", "", kMissing, "Request is missing Authentication Token"},
        {"Bearer", "Bearer hunter2", kMissing, "missing Authentication Token"},
        {"SignatureVersion2", "AWS K:hunter2", kMissing, "missing Authentication Token"},
        {"LowerCaseScheme", "aws4-hmac-sha256 " + kCredential, kMissing, "missing"},
        {"Asymmetric", "AWS4-ECDSA-P256-SHA256 " + kCredential, kIncomplete,
         "only AWS4-HMAC-SHA256"},
        {"LongerAlgorithm", "AWS4-HMAC-SHA256hunter2 " + kCredential, kIncomplete, "'algorithm'"},
        {"AlgorithmAlone", "AWS4-HMAC-SHA256", kIncomplete,
         "Authorization header requires 'Credential' parameter. Authorization header requires "
         "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
        {"NoCredential", Authorization(kSignedHeaders + "," + kSignature), kIncomplete,
         "requires 'Credential'"},
        {"NoSignedHeaders", Authorization(kCredential + "," + kSignature), kIncomplete,
         "requires 'SignedHeaders'"},
        {"NoSignature", Authorization(kCredential + "," + kSignedHeaders), kIncomplete,
         "requires 'Signature'"},
        {"EmptySignature", Authorization(kCredential + "," + kSignedHeaders + ",Signature="),
         kIncomplete, "requires 'Signature'"},
        {"TwoSignatures",
         Authorization(kCredential + "," + kSignedHeaders + "," + kSignature + "," + kSignature),
         kIncomplete, "a parameter twice"},
        {"UnknownPart",
         Authorization(kCredential + "," + kSignedHeaders + "," + kSignature + ",Secret=hunter2"),
         kIncomplete, "another parameter"},
        {"LowerCasePart", Authorization("credential=hunter2"), kIncomplete, "another parameter"},
        {"NoPair", Authorization(kCredential + ", hunter2, " + kSignature), kIncomplete,
         "not a valid key=value pair"},
        {"TrailingComma",
         Authorization(kCredential + "," + kSignedHeaders + "," + kSignature + ","), kIncomplete,
         "not a valid key=value pair"},
        {"SpacesInsteadOfCommas", Authorization(kCredential + " " + kSignedHeaders), kIncomplete,
         "requires 'Signature'"},
        {"FourElements",
         Authorization("Credential=K/20261122/hunter2/kms," + kSignedHeaders + "," + kSignature),
         kIncomplete, "exactly 5"},
        {"SixElements",
         Authorization("Credential=K/hunter2/20261122/us-west-2/kms/aws4_request," +
                       kSignedHeaders + "," + kSignature),
         kIncomplete, "exactly 5"},
        {"UpperCaseHeaderName",
         Authorization(kCredential + ",SignedHeaders=Host;x-amz-date," + kSignature), kIncomplete,
         "SignedHeaders must be"},
        {"HeaderNamesOutOfOrder",
         Authorization(kCredential + ",SignedHeaders=x-amz-date;host," + kSignature), kIncomplete,
         "SignedHeaders must be"},
        {"HeaderNameTwice",
         Authorization(kCredential + ",SignedHeaders=host;host;x-amz-date," + kSignature),
         kIncomplete, "SignedHeaders must be"},
        {"EmptyHeaderName",
         Authorization(kCredential + ",SignedHeaders=host;x-amz-date;," + kSignature), kIncomplete,
         "SignedHeaders must be"},
        {"NewlineInHeaderName",
         Authorization(kCredential + ",SignedHeaders=host;x\nhunter2," + kSignature), kIncomplete,
         "SignedHeaders must be"},
        {"TooManyHeaderNames",
         Authorization(kCredential + ",SignedHeaders=" + ManyHeaders() + "," + kSignature),
         kIncomplete, "more than 64"},
    }),
    [](const auto& row) { return row.param.name; });

TEST(CanonicalQueryTest, WhatIsNoEncodingIsRefused) {
  for (const std::string_view query : {"a=%", "a=%4", "%zz=1", "a=1&b=%0g"}) {
    EXPECT_THAT(CanonicalQuery(query), Raises(Exception::kInvalidSignatureException)) << query;
  }
}

TEST(CanonicalQueryTest, EmptyPairsMeanNothing) {
  EXPECT_EQ(*CanonicalQuery("&&b=1&&a&"), "a=&b=1");
  EXPECT_EQ(*CanonicalQuery(""), "");
}

TEST(SigningTimeTest, TheBasicFormatAndNothingElse) {
  EXPECT_EQ(ParseBasicTime("20261122T120000Z"), kNoon);
  EXPECT_EQ(FormatBasicTime(kNoon), "20261122T120000Z");
  EXPECT_EQ(FormatBasicTime(*ParseBasicTime("20240229T010203Z")), "20240229T010203Z");
  for (const std::string_view text :
       {"", "2026", "20261122T120000", "20261122T120000z", "20261122t120000Z", "20261122 120000Z",
        "2026-11-22T12:00:00Z", "20261122T240000Z", "20261122T126000Z", "20261122T120060Z",
        "20261322T120000Z", "20260229T120000Z", "20261100T120000Z", "+0261122T120000Z",
        "20261122T120000Z ", "20261122T12000aZ"}) {
    EXPECT_EQ(ParseBasicTime(text), std::nullopt) << text;
  }
}

TEST(SigningTimeTest, TheDateOfHttpAndThatOfMail) {
  for (const std::string_view text :
       {"Sun, 22 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 12:00:00 -0000",
        "Sun, 22 Nov 2026 12:00:00 +0000"}) {
    EXPECT_EQ(ParseHttpDate(text), kNoon) << text;
  }
  for (const std::string_view text :
       {"", "GMT", " GMT", "Mon, 22 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 12:00:00 CET",
        "Sun, 22 Nov 2026 12:00:00 +0100", "Sun, 22 nov 2026 12:00:00 GMT",
        "Sunday, 22-Nov-26 12:00:00 GMT", "Sun Nov 22 12:00:00 2026", "20261122T120000Z",
        "Sun, 31 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 12:00:00"}) {
    EXPECT_EQ(ParseHttpDate(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace hallmark::authn
