// Requests of the AWS front as they come off the wire: headers and body in, status and body out.
#include "service/http/aws_handler.h"
#include "service/http/head_scanner.h"
#include "service/http/request_head.h"
#include "tests/fuzz/promise.h"

#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::http_front {
namespace {

constexpr std::size_t kMaxHeadBytes = 16 * 1024;
constexpr std::size_t kMaxLines = 100;
constexpr std::size_t kMaxBodyBytes = 128 * 1024;

class StandingClock final : public Clock {
 public:
  WallTime Now() const override { return WallTime{}; }
  SteadyTime SteadyNow() const override { return SteadyTime{}; }
};

// Knows whoever says anything of an authorization.
class Doorkeeper final : public authn::SignatureAuthenticator {
 public:
  Result<authn::SignedCaller> Authenticate(const authn::SignedRequest& request) override {
    for (const authn::HttpHeader& header : request.headers) {
      if (header.name == "Authorization") return authn::SignedCaller{principal_, "HK", {}, {}};
    }
    return Fail(Exception::kUnrecognizedClientException, "Who are you?");
  }
  Status CountOnce(const authn::SignedCaller& /*caller*/) override { return {}; }

 private:
  const std::shared_ptr<const Principal> principal_ = std::make_shared<Principal>(Principal{
      {.unique_id = "id",
       .arn =
           *PrincipalArn::Parse("arn:aws:iam::111122223333:user/Alice", Site{"aws", "us-west-2"})},
      nullptr,
      {},
      {},
      {}});
};

// Every other call succeeds; the rest are refused with a text that has whatever was sent.
class Handler {
 public:
  HttpAnswer Ask(const RequestHead& head, std::string_view body) {
    std::optional<HttpAnswer> got;
    sent_ = body;
    const auto headers = head.HeaderViews();
    handler_.Handle({head.method, head.target, headers, body}, "127.0.0.1:1",
                    [&got](HttpAnswer answer) {
                      HALLMARK_PROMISE(!got.has_value());
                      got = std::move(answer);
                    });
    HALLMARK_PROMISE(got.has_value());
    return *std::move(got);
  }

 private:
  std::string sent_;
  StandingClock clock_;
  Doorkeeper doorkeeper_;
  AwsHandler handler_{
      {.dispatch =
           [this](const app::CallPtr&, const google::protobuf::Message&, google::protobuf::Message*,
                  const app::Done& done) {
             if (sent_.size() % 2 == 0) return done({});
             done(Fail(Exception::kNotFoundException, "Invalid keyId '" + sent_ + "'"));
           },
       .clock = clock_,
       .audit = nullptr,
       .on_finished = [](const app::CallContext&, const Status&) {},
       .on_unserved = [](int) {},
       .on_unsupported = [](const app::AuditEvent&, const Error&) {}},
      doorkeeper_,
      std::chrono::seconds(10)};
};

void CheckHead(const RequestHead& head) {
  HALLMARK_PROMISE(!head.method.empty() && !head.target.empty());
  HALLMARK_PROMISE(head.content_length <= kMaxBodyBytes);
  for (const RequestHead::Header& header : head.headers) {
    HALLMARK_PROMISE(header.name.find_first_of(" \t\r\n:") == std::string::npos);
    HALLMARK_PROMISE(header.value.find_first_of("\r\n") == std::string::npos);
  }
}

void CheckAnswer(const HttpAnswer& answer) {
  HALLMARK_PROMISE(answer.status == 200 || answer.status == 400);
  HALLMARK_PROMISE(answer.request_id.size() == 36);
  if (answer.body.empty()) {
    HALLMARK_PROMISE(answer.status == 200);
    return;
  }
  const auto body = nlohmann::json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  HALLMARK_PROMISE(body.is_object());
  HALLMARK_PROMISE(answer.status == 200 || body.contains("__type"));
}

}  // namespace
}  // namespace hallmark::http_front

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hallmark::http_front;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  HeadScanner scanner(kMaxHeadBytes, kMaxLines);
  if (scanner.Scan(input) != HeadScanner::Found::kHead) return 0;
  const auto head = ParseHead(input.substr(0, scanner.head_bytes()), kMaxBodyBytes);
  if (!head) {
    HALLMARK_PROMISE(head.error().status >= 400 && head.error().status <= 505);
    return 0;
  }
  CheckHead(*head);
  static Handler handler;
  CheckAnswer(handler.Ask(*head, input.substr(scanner.head_bytes())));
  return 0;
}
