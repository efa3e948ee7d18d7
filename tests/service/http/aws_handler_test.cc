#include "service/http/aws_handler.h"

#include "hallmark/v1/kms.pb.h"
#include "tests/service/fake_clock.h"
#include "tests/support/result_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::http_front {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

using Headers = std::vector<authn::HttpHeader>;

// Knows everybody, or refuses everybody.
class Doorkeeper final : public authn::SignatureAuthenticator {
 public:
  Result<authn::SignedCaller> Authenticate(const authn::SignedRequest& request) override {
    bodies.emplace_back(request.body);
    if (refusal.has_value()) return Unexpected(*refusal);
    return authn::SignedCaller{principal, "HKEXAMPLE", {}, {}};
  }
  Status CountOnce(const authn::SignedCaller& /*caller*/) override {
    ++counted;
    return used_before ? Status(Unexpected(*used_before)) : Status();
  }

  std::optional<Error> refusal;
  std::vector<std::string> bodies;
  std::optional<Error> used_before;
  int counted = 0;
  const std::shared_ptr<const Principal> principal = std::make_shared<Principal>(Principal{
      {.unique_id = "id",
       .arn =
           *PrincipalArn::Parse("arn:aws:iam::111122223333:user/Alice", Site{"aws", "us-west-2"})},
      nullptr,
      {},
      {},
      {}});
};

struct Noted {
  std::string name;
  bool known;
  bool reads_only;
  std::string exception;
};

// Remembers what was recorded.
class Recorder final : public app::AuditSink {
 public:
  class Line final : public Slot {
   public:
    explicit Line(std::vector<Noted>& lines) : lines_(lines) {}
    Status Write(const app::AuditEvent& event, const Status& outcome) override {
      lines_.push_back({std::string(event.name), event.caller != nullptr, event.reads_only,
                        outcome ? "" : std::string(Describe(outcome.error().exception).name)});
      return {};
    }

   private:
    std::vector<Noted>& lines_;
  };

  Result<std::unique_ptr<Slot>> Reserve(const google::protobuf::Message*) override {
    return std::unique_ptr<Slot>(std::make_unique<Line>(lines));
  }

  std::vector<Noted> lines;
};

class AwsHandlerTest : public ::testing::Test {
 protected:
  static Headers HeadersFor(std::string_view target,
                            std::string_view type = "application/x-amz-json-1.1") {
    return {{"Host", "localhost"}, {"X-Amz-Target", target}, {"Content-Type", type}};
  }

  HttpAnswer Ask(const authn::SignedRequest& request) {
    std::optional<HttpAnswer> got;
    cancelled_ = handler_.Handle(request, "127.0.0.1:41234", [&got](HttpAnswer answer) {
      EXPECT_FALSE(got.has_value()) << "answered twice";
      got = std::move(answer);
    });
    EXPECT_TRUE(got.has_value());
    return got.value_or(HttpAnswer{});
  }
  HttpAnswer Post(std::string_view operation, std::string_view body = "{}") {
    const std::string target = "TrentService." + std::string(operation);
    const Headers headers = HeadersFor(target);
    return Ask({"POST", "/", headers, body});
  }

  service::FakeClock clock_;
  Doorkeeper doorkeeper_;
  Recorder recorder_;
  std::vector<std::string> finished_;
  std::vector<int> unserved_;
  std::optional<Status> outcome_;  // of what is dispatched; nothing: a MAC
  app::CallPtr dispatched_;
  std::string dispatched_request_;
  HttpHandler::Cancelled cancelled_;
  AwsHandler handler_{
      {.dispatch =
           [this](const app::CallPtr& call, const google::protobuf::Message& request,
                  google::protobuf::Message* response, app::Done done) {
             dispatched_ = call;
             dispatched_request_ = request.ShortDebugString();
             if (auto* mac = dynamic_cast<v1::GenerateMacResponse*>(response)) mac->set_mac("MAC");
             done(outcome_.value_or(Status()));
           },
       .clock = clock_,
       .audit = &recorder_,
       .on_finished =
           [this](const app::CallContext& call, const Status& status) {
             finished_.push_back(std::string(Name(call.operation)) + " " +
                                 (status ? "OK" : ToString(status.error())));
           },
       .on_unserved = [this](int status) { unserved_.push_back(status); },
       .on_unsupported =
           [this](const app::AuditEvent& event, const Error& refusal) {
             finished_.push_back(std::string(event.name) + " " + ToString(refusal));
           }},
      doorkeeper_,
      10s};
};

TEST_F(AwsHandlerTest, AnOperationIsCalledWithTheRequestAndItsCaller) {
  const HttpAnswer answer = Post("GenerateMac", R"({"KeyId":"alias/a"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.request_id.size(), 36U);
  EXPECT_THAT(answer.body, HasSubstr("\"Mac\":"));
  ASSERT_NE(dispatched_, nullptr);
  EXPECT_EQ(dispatched_request_, "key_id: \"alias/a\"");
  EXPECT_EQ(dispatched_->operation, Operation::kGenerateMac);
  EXPECT_EQ(dispatched_->caller, doorkeeper_.principal);
  EXPECT_EQ(dispatched_->access_key_id, "HKEXAMPLE");
  EXPECT_EQ(dispatched_->peer, "127.0.0.1:41234");
  EXPECT_EQ(dispatched_->request_id, answer.request_id);
  EXPECT_EQ(dispatched_->deadline, clock_.SteadyNow() + 10s);
  EXPECT_TRUE(dispatched_->may_hold_up_thread);
}

TEST_F(AwsHandlerTest, ASuccessWithoutMembersHasAnEmptyBody) {
  const HttpAnswer answer = Post("DisableKey", R"({"KeyId":"k"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
}

TEST_F(AwsHandlerTest, WhatChangesSomethingIsSignedOnce) {
  Post("GenerateMac");
  Post("ListKeys");
  Post("Sign");
  EXPECT_EQ(doorkeeper_.counted, 0);
  Post("DisableKey");
  EXPECT_EQ(doorkeeper_.counted, 1);
}

TEST_F(AwsHandlerTest, WhoSignedTwiceIsOnRecord) {
  doorkeeper_.used_before = Error{Exception::kThrottlingException, "Again?"};
  const HttpAnswer answer = Post("DisableKey");
  EXPECT_EQ(answer.body, R"({"__type":"ThrottlingException","message":"Again?"})");
  EXPECT_FALSE(answer.ends_connection);
  ASSERT_EQ(recorder_.lines.size(), 1U);
  EXPECT_TRUE(recorder_.lines[0].known);
  EXPECT_EQ(dispatched_, nullptr);
}

TEST_F(AwsHandlerTest, ACallCanBeCancelled) {
  Post("GenerateMac");
  ASSERT_NE(cancelled_, nullptr);
  cancelled_->store(true);
  EXPECT_TRUE(dispatched_->cancelled);
}

TEST_F(AwsHandlerTest, TheLongestCallCanBeChanged) {
  handler_.set_max_call_duration(3s);
  Post("GenerateMac");
  EXPECT_EQ(dispatched_->deadline, clock_.SteadyNow() + 3s);
}

struct Refused {
  Exception exception;
  const char* message;
  int status;
  const char* body;
};

TEST_F(AwsHandlerTest, RefusalsLookAsThoseOfKms) {
  const Refused rows[] = {
      {Exception::kNotFoundException, "Invalid keyId 'x'", 400,
       R"({"__type":"NotFoundException","message":"Invalid keyId 'x'"})"},
      {Exception::kKMSInvalidMacException, "", 400, R"({"__type":"KMSInvalidMacException"})"},
      {Exception::kDryRunOperationException, "d", 400,
       R"({"__type":"DryRunOperationException","message":"d"})"},
      {Exception::kKeyUnavailableException, "u", 500,
       R"({"__type":"KeyUnavailableException","message":"u"})"},
      {Exception::kKMSInternalException, "i", 500,
       R"({"__type":"KMSInternalException","message":"i"})"},
      {Exception::kDependencyTimeoutException, "t", 503,
       R"({"__type":"DependencyTimeoutException","message":"t"})"},
      {Exception::kThrottlingException, "\"quoted\" \xff", 400,
       "{\"__type\":\"ThrottlingException\",\"message\":\"\\\"quoted\\\" \xef\xbf\xbd\"}"},
  };
  for (const Refused& row : rows) {
    outcome_ = Fail(row.exception, row.message);
    const HttpAnswer answer = Post("GenerateMac");
    EXPECT_EQ(answer.status, row.status) << row.body;
    EXPECT_EQ(answer.body, row.body);
    EXPECT_EQ(answer.request_id.size(), 36U);
  }
}

struct Foreign {
  const char* method;
  const char* target;
  const char* operation;
  const char* type;
};

TEST_F(AwsHandlerTest, WhatIsNotThisProtocolIsAnUnknownOperation) {
  constexpr const char* kType = "application/x-amz-json-1.1";
  const Foreign rows[] = {
      {"GET", "/", "TrentService.ListKeys", kType},
      {"PUT", "/", "TrentService.ListKeys", kType},
      {"POST", "/x", "TrentService.ListKeys", kType},
      {"POST", "/x?a=b", "TrentService.ListKeys", kType},
      {"POST", "/?a=b", "TrentService.ListKeys", kType},
      {"POST", "//", "TrentService.ListKeys", kType},
      {"POST", "/", "ListKeys", kType},
      {"POST", "/", "DynamoDB_20120810.ListKeys", kType},
      {"POST", "/", "TrentService.", kType},
      {"POST", "/", "TrentService.Nonsense", kType},
      {"POST", "/", "TrentService.listkeys", kType},
      {"POST", "/", "TrentService.ListKeys ", kType},
      {"POST", "/", "TrentService.ListKeys", "application/json"},
      {"POST", "/", "TrentService.ListKeys", "application/x-amz-json-1.0"},
      {"POST", "/", "TrentService.ListKeys", ""},
      // Of our own: over gRPC only.
      {"POST", "/", "TrentService.Explain", kType},
  };
  for (const Foreign& row : rows) {
    const Headers headers = HeadersFor(row.operation, row.type);
    const HttpAnswer answer = Ask({row.method, row.target, headers, "{}"});
    EXPECT_EQ(answer.status, 400) << row.method << row.target << row.operation << row.type;
    EXPECT_THAT(answer.body, HasSubstr(R"("__type":"UnknownOperationException")"));
    EXPECT_TRUE(answer.ends_connection);
  }
  EXPECT_THAT(unserved_, SizeIs(std::size(rows)));
  EXPECT_EQ(dispatched_, nullptr);
  EXPECT_THAT(doorkeeper_.bodies, IsEmpty());
}

TEST_F(AwsHandlerTest, AQueryIsLeftToWhoJudgesSignatures) {
  const Headers headers = HeadersFor("TrentService.ListKeys");
  EXPECT_EQ(Ask({"POST", "/?X-Amz-Signature=0", headers, "{}"}).status, 200);
  EXPECT_THAT(doorkeeper_.bodies, ElementsAre("{}"));
}

TEST_F(AwsHandlerTest, HeadersThatDecideMustBeThereOnce) {
  for (const char* twice : {"X-Amz-Target", "Content-Type"}) {
    Headers headers = HeadersFor("TrentService.ListKeys");
    headers.push_back({twice, headers[std::string_view(twice) == "X-Amz-Target" ? 1 : 2].value});
    EXPECT_EQ(Ask({"POST", "/", headers, "{}"}).status, 400) << twice;
  }
  EXPECT_EQ(Ask({"POST", "/", {}, "{}"}).status, 400);
  EXPECT_EQ(dispatched_, nullptr);
}

TEST_F(AwsHandlerTest, NamesOfHeadersKnowNoCaseAndACharsetMayFollowTheType) {
  const Headers headers{{"x-AMZ-target", "TrentService.ListKeys"},
                        {"content-type", "Application/x-amz-json-1.1; charset=utf-8"}};
  EXPECT_EQ(Ask({"POST", "/", headers, "{}"}).status, 200);
}

TEST_F(AwsHandlerTest, OperationsThatHallmarkDoesNotHaveAreRefusedToWhoIsKnown) {
  for (const char* name : {"ReplicateKey", "UpdatePrimaryRegion", "CreateCustomKeyStore",
                           "DescribeCustomKeyStores", "ImportKeyMaterial"}) {
    const HttpAnswer answer = Post(name);
    EXPECT_EQ(answer.status, 400);
    const auto body = nlohmann::json::parse(answer.body);
    EXPECT_EQ(body["__type"], "UnsupportedOperationException") << name;
    EXPECT_THAT(body["message"], HasSubstr(std::string(name) + " is not supported"));
    ASSERT_FALSE(finished_.empty());
    EXPECT_THAT(finished_.back(), HasSubstr(std::string(name) + " UnsupportedOperation"));
    EXPECT_EQ(recorder_.lines.back().name, name);
    EXPECT_TRUE(recorder_.lines.back().known);
    EXPECT_EQ(recorder_.lines.back().reads_only, std::string_view(name).starts_with("Describe"));
  }
  EXPECT_EQ(dispatched_, nullptr);
}

TEST_F(AwsHandlerTest, OperationsOfOtherUsagesAreJudgedAsAnyOther) {
  for (const char* name : {"Encrypt", "Decrypt", "ReEncrypt", "Sign", "Verify", "GenerateDataKey",
                           "GetPublicKey", "DeriveSharedSecret", "Encapsulate"}) {
    dispatched_ = nullptr;
    Post(name, R"({"KeyId":"alias/demo","Plaintext":"aGVsbG8="})");
    ASSERT_NE(dispatched_, nullptr) << name;
    EXPECT_EQ(Name(dispatched_->operation), name);
  }
}

TEST_F(AwsHandlerTest, StrangersAreRefusedAndOneASecondIsRecorded) {
  doorkeeper_.refusal = Error{Exception::kUnrecognizedClientException, "Who are you?"};
  for (int i = 0; i < 5; ++i) {
    const HttpAnswer answer = Post(i % 2 == 0 ? "GenerateMac" : "ReplicateKey", "not even JSON");
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.body, R"({"__type":"UnrecognizedClientException","message":"Who are you?"})");
    EXPECT_TRUE(answer.ends_connection);
  }
  EXPECT_EQ(finished_.size(), 5U);
  ASSERT_EQ(recorder_.lines.size(), 1U);
  EXPECT_FALSE(recorder_.lines[0].known);
  EXPECT_EQ(recorder_.lines[0].exception, "UnrecognizedClientException");
  EXPECT_EQ(dispatched_, nullptr);
  clock_.Advance(1s);
  Post("GenerateMac");
  EXPECT_EQ(recorder_.lines.size(), 2U);
}

TEST_F(AwsHandlerTest, ABodyThatIsNotJsonIsRefusedAfterItsSenderIsKnown) {
  const HttpAnswer answer = Post("GenerateMac", "not JSON");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr(R"("__type":"SerializationException")"));
  EXPECT_THAT(doorkeeper_.bodies, ElementsAre("not JSON"));
  ASSERT_EQ(recorder_.lines.size(), 1U);
  EXPECT_EQ(recorder_.lines[0].name, "GenerateMac");
  EXPECT_TRUE(recorder_.lines[0].known);
  EXPECT_EQ(finished_.size(), 1U);
  EXPECT_EQ(dispatched_, nullptr);
}

}  // namespace
}  // namespace hallmark::http_front
