// Runs every case of cases/*.json against a real daemon. What a case may hold is in README.md; an
// unknown member is an error, so that a typo cannot pass as an expectation.
#include "tests/contract/kms_json.h"
#include "tests/contract/world.h"

#include <gmock/gmock.h>
#include <google/protobuf/dynamic_message.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

using nlohmann::json;

struct Case {
  std::string name;
  json content;
};

std::vector<Case> LoadCases() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(HALLMARK_CONTRACT_CASES)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Case> cases;
  for (const auto& file : files) {
    const json content = json::parse(std::ifstream(file));
    for (const auto& [name, one] : content.items()) cases.push_back({name, one});
  }
  return cases;
}

World& SharedWorld() {
  static World world;
  return world;
}

class ContractTest : public ::testing::TestWithParam<Case> {
 protected:
  void RunStep(const json& step);
  json Substitute(const json& value) const;
  // Takes back what the case would leave for others.
  void TearDown() override;

  std::map<std::string, std::string> saved_;

 private:
  void RunCall(const json& step);
  void Check(const json& step, const Outcome& outcome, const json& answer);
  void CheckRefusal(const json& want, const Outcome& outcome) const;

  std::set<std::string> added_callers_;
};

void ContractTest::TearDown() {
  for (const std::string& caller : added_callers_) SharedWorld().Remove(caller);
  SharedWorld().daemon().SetFaults("");
}

// "${repeat:4097}" becomes so many letters.
void ExpandRepeats(std::string& text) {
  const std::string begin = "${repeat:";
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin)) {
    const std::size_t end = text.find('}', at);
    if (end == std::string::npos) throw CaseError("no end of " + text.substr(at));
    const std::size_t digits = at + begin.size();
    text.replace(at, end + 1 - at, std::string(std::stoul(text.substr(digits, end - digits)), 'm'));
  }
}

// "${name}" inside any string is replaced by what an earlier step saved or the world knows.
json ContractTest::Substitute(const json& value) const {
  if (value.is_string()) {
    std::string text = value.get<std::string>();
    std::map<std::string, std::string> variables = SharedWorld().Variables();
    variables.insert(saved_.begin(), saved_.end());
    for (const auto& [name, replacement] : variables) {
      const std::string reference = "${" + name + "}";
      for (std::size_t at = text.find(reference); at != std::string::npos;
           at = text.find(reference)) {
        text.replace(at, reference.size(), replacement);
      }
    }
    ExpandRepeats(text);
    if (text.find("${") != std::string::npos) throw CaseError("unknown variable in " + text);
    return text;
  }
  json result = value;
  if (value.is_structured()) {
    for (auto& item : result.items()) item.value() = Substitute(item.value());
  }
  return result;
}

void ContractTest::RunStep(const json& step) {
  static const std::set<std::string> kMembers{
      "call",          "as",     "with",   "expect",           "matches", "differs",
      "absent",        "raises", "save",   "set_state",        "key",     "faults",
      "add_principal", "arn",    "policy", "remove_principal", "comment"};
  for (const auto& [name, value] : step.items()) {
    if (kMembers.count(name) == 0) throw CaseError("unknown member of a step: " + name);
  }
  if (step.contains("set_state")) {
    SharedWorld().SetState(Substitute(step.at("key")), step.at("set_state"));
  } else if (step.contains("add_principal")) {
    const json policy = Substitute(step.value("policy", json("")));
    SharedWorld().Add(step.at("add_principal"), step.at("arn"),
                      policy.is_string() ? policy.get<std::string>() : policy.dump());
    added_callers_.insert(step.at("add_principal").get<std::string>());
  } else if (step.contains("remove_principal")) {
    SharedWorld().Remove(step.at("remove_principal"));
    added_callers_.erase(step.at("remove_principal").get<std::string>());
  } else if (step.contains("faults")) {
    SharedWorld().daemon().SetFaults(step.at("faults").get<std::string>() + "\n");
  } else {
    RunCall(step);
  }
}

void ContractTest::RunCall(const json& step) {
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      "hallmark.v1.KeyService");
  const auto* method = service->FindMethodByName(step.at("call").get<std::string>());
  if (method == nullptr) throw CaseError("no such operation: " + step.at("call").dump());
  auto* factory = google::protobuf::MessageFactory::generated_factory();
  const std::unique_ptr<google::protobuf::Message> request(
      factory->GetPrototype(method->input_type())->New());
  const std::unique_ptr<google::protobuf::Message> response(
      factory->GetPrototype(method->output_type())->New());
  FillFromKmsJson(Substitute(step.value("with", json::object())), request.get());

  grpc::TemplatedGenericStub<google::protobuf::Message, google::protobuf::Message> stub(
      SharedWorld().ClientFor(step.value("as", "admin")).channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(&context, "/hallmark.v1.KeyService/" + method->name(),
                                          *request, &queue);
  call->StartCall();
  grpc::Status status;
  call->Finish(response.get(), &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  Check(step, OutcomeOf(status), ToKmsJson(*response));
}

void ContractTest::CheckRefusal(const json& want, const Outcome& outcome) const {
  if (!want.contains("exception") || !want.contains("code")) {
    throw CaseError("raises needs exception and code");
  }
  EXPECT_FALSE(outcome.ok());
  for (const auto& [name, value] : want.items()) {
    if (name == "exception") {
      EXPECT_EQ(outcome.exception, value) << outcome.message;
    } else if (name == "message") {
      EXPECT_EQ(outcome.message, value);
    } else if (name == "code") {
      static const std::map<std::string, grpc::StatusCode> kCodes{
          {"INVALID_ARGUMENT", grpc::StatusCode::INVALID_ARGUMENT},
          {"NOT_FOUND", grpc::StatusCode::NOT_FOUND},
          {"ALREADY_EXISTS", grpc::StatusCode::ALREADY_EXISTS},
          {"PERMISSION_DENIED", grpc::StatusCode::PERMISSION_DENIED},
          {"FAILED_PRECONDITION", grpc::StatusCode::FAILED_PRECONDITION},
          {"UNIMPLEMENTED", grpc::StatusCode::UNIMPLEMENTED},
          {"RESOURCE_EXHAUSTED", grpc::StatusCode::RESOURCE_EXHAUSTED},
          {"UNAVAILABLE", grpc::StatusCode::UNAVAILABLE}};
      EXPECT_EQ(outcome.code, kCodes.at(value)) << outcome.message;
    } else {
      throw CaseError("unknown member of raises: " + name);
    }
  }
}

void ContractTest::Check(const json& step, const Outcome& outcome, const json& answer) {
  if (step.contains("raises")) {
    CheckRefusal(Substitute(step.at("raises")), outcome);
    return;
  }
  ASSERT_TRUE(outcome.ok()) << outcome;
  const auto at = [&](const std::string& pointer) {
    return answer.value(json::json_pointer(pointer), json());
  };
  const auto wanted = [&](const char* member) {
    return Substitute(step.value(member, json::object()));
  };
  const json expected = wanted("expect");
  for (const auto& [pointer, value] : expected.items()) {
    json got = at(pointer);
    // A document inside a string.
    if (value.is_object() && got.is_string()) got = json::parse(got.get<std::string>());
    EXPECT_EQ(got, value) << pointer << " of " << answer;
  }
  const json patterns = wanted("matches");
  for (const auto& [pointer, value] : patterns.items()) {
    EXPECT_THAT(at(pointer).dump(), ::testing::MatchesRegex('"' + value.get<std::string>() + '"'))
        << pointer << " of " << answer;
  }
  const json others = wanted("differs");
  for (const auto& [pointer, value] : others.items()) {
    EXPECT_FALSE(at(pointer).is_null()) << pointer << " of " << answer;
    EXPECT_NE(at(pointer), value) << pointer << " of " << answer;
  }
  for (const json& pointer : step.value("absent", json::array())) {
    EXPECT_FALSE(answer.contains(json::json_pointer(pointer.get<std::string>()))) << pointer;
  }
  const json saved = step.value("save", json::object());
  for (const auto& [name, pointer] : saved.items()) {
    saved_[name] = answer.at(json::json_pointer(pointer.get<std::string>())).get<std::string>();
  }
}

TEST_P(ContractTest, Holds) {
  const json& content = GetParam().content;
  ASSERT_TRUE(content.contains("description"));
  SCOPED_TRACE(content.at("description").get<std::string>());
  int number = 0;
  for (const json& step : content.at("steps")) {
    SCOPED_TRACE("step " + std::to_string(++number) + ": " + step.dump().substr(0, 300));
    try {
      RunStep(step);
    } catch (const std::exception& wrong) {
      FAIL() << "the case is written wrongly: " << wrong.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ContractTest, ::testing::ValuesIn(LoadCases()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace hallmark::testing
