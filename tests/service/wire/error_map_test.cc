#include "service/wire/error_map.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace hallmark::wire {
namespace {

using ::testing::EndsWith;
using ::testing::Le;
using ::testing::SizeIs;
using namespace std::chrono_literals;

constexpr std::string_view kRequestId = "0b8bd6a4-36f4-4b1c-9c6c-4f5a2c1d7e90";
constexpr std::string_view kEllipsis = "\u2026";

// As published: one row per code, with the exceptions that it carries.
const std::map<grpc::StatusCode, std::set<std::string_view>> kContract{
    {grpc::INVALID_ARGUMENT,
     {"ValidationException", "InvalidAliasNameException", "InvalidArnException",
      "InvalidCiphertextException", "InvalidGrantIdException", "InvalidGrantTokenException",
      "InvalidImportTokenException", "InvalidMarkerException", "MalformedPolicyDocumentException",
      "SerializationException", "TagException", "KMSInvalidMacException", "IncorrectKeyException",
      "IncorrectKeyMaterialException", "ExpiredImportTokenException"}},
    {grpc::NOT_FOUND, {"NotFoundException"}},
    {grpc::ALREADY_EXISTS, {"AlreadyExistsException"}},
    {grpc::PERMISSION_DENIED, {"AccessDeniedException", "NotAuthorizedException"}},
    {grpc::UNAUTHENTICATED,
     {"IncompleteSignatureException", "InvalidSignatureException",
      "MissingAuthenticationTokenException", "UnrecognizedClientException"}},
    {grpc::FAILED_PRECONDITION,
     {"DisabledException", "KMSInvalidStateException", "InvalidKeyUsageException",
      "DryRunOperationException"}},
    {grpc::UNIMPLEMENTED, {"UnsupportedOperationException", "UnknownOperationException"}},
    {grpc::RESOURCE_EXHAUSTED, {"ThrottlingException", "LimitExceededException"}},
    {grpc::ABORTED, {"ConflictException"}},
    {grpc::UNAVAILABLE, {"KeyUnavailableException", "DependencyTimeoutException"}},
    {grpc::INTERNAL, {"KMSInternalException"}},
};

constexpr Exception kEveryException[] = {
#define HALLMARK_EXCEPTION(name, fault, retry, meaning) Exception::k##name,
#include "keystate/exceptions.def"
#undef HALLMARK_EXCEPTION
};

google::rpc::Status Parse(const std::string& details) {
  google::rpc::Status status;
  EXPECT_TRUE(status.ParseFromString(details));
  return status;
}

std::string Repeat(std::string_view text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

std::string SentMessage(const std::string& message) {
  return MakeGrpcStatus({Exception::kNotFoundException, message}, kRequestId).message;
}

TEST(ErrorMapTest, EveryExceptionHasTheCodeOfTheContract) {
  std::size_t listed = 0;
  for (const auto& [code, names] : kContract) listed += names.size();
  EXPECT_EQ(listed, std::size(kEveryException));
  for (const Exception exception : kEveryException) {
    EXPECT_TRUE(kContract.at(ToGrpc(exception)).contains(Describe(exception).name))
        << Describe(exception).name;
  }
}

TEST(ErrorMapTest, DetailsNameTheExceptionAndTheRequest) {
  for (const Exception exception : kEveryException) {
    const GrpcStatus sent = MakeGrpcStatus({exception, "why", "for the log alone"}, kRequestId);
    const google::rpc::Status status = Parse(sent.details);
    EXPECT_EQ(status.code(), static_cast<int>(sent.code));
    EXPECT_EQ(status.message(), "why");
    ASSERT_EQ(status.details_size(), 1);
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(status.details(0).UnpackTo(&info));
    EXPECT_EQ(info.reason(), Describe(exception).name);
    EXPECT_EQ(info.domain(), "hallmark");
    EXPECT_EQ(info.metadata().at("request_id"), kRequestId);
    EXPECT_EQ(info.metadata().at("retryable"),
              Describe(exception).retry == Retry::kBackoff ? "true" : "false");
    EXPECT_EQ(sent.details.find("for the log alone"), std::string::npos);
  }
}

TEST(ErrorMapTest, ThrottlingSaysWhenToComeBack) {
  const GrpcStatus sent =
      MakeGrpcStatus({Exception::kThrottlingException, "slow down", "", 1'250ms}, kRequestId);
  const google::rpc::Status status = Parse(sent.details);
  ASSERT_EQ(status.details_size(), 2);
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(status.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 250'000'000);
}

TEST(ErrorMapTest, AMessageThatFitsIsSentWhole) {
  const std::string longest_ascii_key_id = Repeat("k", 2048) + " is not found";
  EXPECT_EQ(SentMessage(longest_ascii_key_id), longest_ascii_key_id);
  EXPECT_EQ(SentMessage(""), "");
}

TEST(ErrorMapTest, ALongMessageIsCutBetweenCharactersAndMarked) {
  for (const std::string_view character : {"x", "%", "\u00e4", "\u20ac", "\U0001f511"}) {
    for (const std::string_view before : {"", "a", "ab", "abc"}) {
      const std::string sent = SentMessage(std::string(before) + Repeat(character, 8'192));
      EXPECT_THAT(sent, EndsWith(std::string(kEllipsis)));
      const std::size_t kept = sent.size() - kEllipsis.size() - before.size();
      EXPECT_EQ(kept % character.size(), 0U) << character;
      EXPECT_GT(kept, 1'000U);
    }
  }
}

TEST(ErrorMapTest, TheCutMessageStaysWithinTheBudgetInBothEncodings) {
  const GrpcStatus sent =
      MakeGrpcStatus({Exception::kNotFoundException, Repeat("\U0001f511", 2'048)}, kRequestId);
  const std::size_t percent_encoded = 3 * sent.message.size();
  const std::size_t base64 = (sent.details.size() + 2) / 3 * 4;
  EXPECT_THAT(percent_encoded + base64, Le(8'192U - 700U));
}

}  // namespace
}  // namespace hallmark::wire
