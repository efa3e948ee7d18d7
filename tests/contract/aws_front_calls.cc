#include "tests/contract/aws_json.h"
#include "tests/contract/front.h"
#include "tests/contract/kms_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace hallmark::testing {
namespace {

using nlohmann::json;

constexpr const char* kRequestId = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
// By which SDKs correct their clocks: Sun, 06 Nov 1994 08:49:37 GMT.
constexpr const char* kDate =
    "[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT";

void CheckHeaders(const ReceivedAnswer& received) {
  const auto header = [&](const char* name) {
    const auto found = received.headers.find(name);
    return found == received.headers.end() ? std::string() : found->second;
  };
  EXPECT_THAT(header("x-amzn-requestid"), ::testing::MatchesRegex(kRequestId));
  EXPECT_THAT(header("date"), ::testing::MatchesRegex(kDate));
  EXPECT_EQ(header("content-type"), "application/x-amz-json-1.1");
}

// {"__type":…,"message":…}, nothing else, and no message rather than an empty one.
Answer RefusalFrom(const ReceivedAnswer& received) {
  Answer answer{{}, "(none)", "", std::to_string(received.status)};
  const json body = json::parse(received.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) {
    ADD_FAILURE() << "not a refusal: " << received.body;
    return answer;
  }
  for (const auto& [name, value] : body.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : std::string();
    EXPECT_NE(text, "") << name << " of " << received.body;
    if (name == "__type") {
      answer.exception = text;
    } else if (name == "message") {
      answer.message = text;
    } else {
      ADD_FAILURE() << "no member of a refusal: " << name;
    }
  }
  return answer;
}

Answer SuccessFrom(const ReceivedAnswer& received, const google::protobuf::Descriptor& type) {
  Answer answer{json::object(), "", "", "200"};
  if (type.field_count() == 0) {
    EXPECT_EQ(received.body, "");
    return answer;
  }
  try {
    answer.content = FromAwsJson(json::parse(received.body), type);
  } catch (const json::exception&) {
    ADD_FAILURE() << "not JSON: " << received.body;
  } catch (const NotAnAnswer& wrong) {
    ADD_FAILURE() << wrong.what() << " in " << received.body;
  }
  return answer;
}

class AwsFront final : public Front {
 public:
  Answer Call(World& world, const std::string& caller,
              const google::protobuf::MethodDescriptor& method,
              const json& request) const override {
    const std::string body = ToAwsJson(request, *method.input_type()).dump();
    const ReceivedAnswer received = world.AwsClientFor(caller).Call(method.name(), body);
    CheckHeaders(received);
    return received.status == 200 ? SuccessFrom(received, *method.output_type())
                                  : RefusalFrom(received);
  }

  std::string WantedCode(const json& raises) const override {
    if (raises.contains("status")) return std::to_string(raises.at("status").get<int>());
    // KMS answers every mistake of the caller with 400, whatever its model says.
    static const std::map<std::string, std::string> kOurs{{"DependencyTimeoutException", "503"},
                                                          {"KeyUnavailableException", "500"},
                                                          {"KMSInternalException", "500"}};
    const auto found = kOurs.find(raises.at("exception").get<std::string>());
    return found == kOurs.end() ? "400" : found->second;
  }
};

}  // namespace

std::unique_ptr<Front> MakeAwsFront() { return std::make_unique<AwsFront>(); }

}  // namespace hallmark::testing
