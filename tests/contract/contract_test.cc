// Runs every case of cases/*.json over both fronts of a real daemon. What a case may hold is in
// README.md; an unknown member is an error, so that a typo cannot pass as an expectation.
#include "tests/contract/front.h"
#include "tests/contract/kms_json.h"
#include "tests/contract/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::testing {
namespace {

using nlohmann::json;

struct Case {
  std::string front;  // "grpc" or "aws"
  std::string name;
  json content;
};

// Cases and steps run over both fronts unless they say `only`.
bool IsFor(const json& case_or_step, const std::string& front) {
  const std::string only = case_or_step.value("only", front);
  if (only != "grpc" && only != "aws") throw CaseError("no such front: " + only);
  return only == front;
}

std::vector<Case> LoadCases(const std::string& front) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(HALLMARK_CONTRACT_CASES)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Case> cases;
  for (const auto& file : files) {
    const json content = json::parse(std::ifstream(file));
    for (const auto& [name, one] : content.items()) {
      if (IsFor(one, front)) cases.push_back({front, name, one});
    }
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
  Answer Call(const std::string& caller, const std::string& operation, const json& request);
  void RunCall(const json& step);
  void Check(const json& step, const Answer& answer);
  void CheckRefusal(const json& want, const Answer& answer) const;

  const std::unique_ptr<Front> front_ =
      GetParam().front == "aws" ? MakeAwsFront() : MakeGrpcFront();
  std::set<std::string> added_callers_;
  std::set<std::pair<std::string, std::string>> made_aliases_;  // of whom
};

void ContractTest::TearDown() {
  SharedWorld().daemon().SetFaults("");
  for (const auto& [caller, alias] : made_aliases_) {
    const Answer answer = Call(caller, "DeleteAlias", {{"AliasName", alias}});
    EXPECT_TRUE(answer.ok() || answer.exception == "NotFoundException") << answer.message;
  }
  for (const std::string& caller : added_callers_) SharedWorld().Remove(caller);
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
      "add_principal", "arn",    "policy", "remove_principal", "comment", "only"};
  for (const auto& [name, value] : step.items()) {
    if (kMembers.count(name) == 0) throw CaseError("unknown member of a step: " + name);
  }
  if (!IsFor(step, GetParam().front)) return;
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

Answer ContractTest::Call(const std::string& caller, const std::string& operation,
                          const json& request) {
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      "hallmark.v1.KeyService");
  const auto* method = service->FindMethodByName(operation);
  if (method == nullptr) throw CaseError("no such operation: " + operation);
  return front_->Call(SharedWorld(), caller, *method, request);
}

void ContractTest::RunCall(const json& step) {
  const std::string caller = step.value("as", "admin");
  const json request = Substitute(step.value("with", json::object()));
  const Answer answer = Call(caller, step.at("call"), request);
  if (step.at("call") == "CreateAlias" && answer.ok()) {
    made_aliases_.emplace(caller, request.at("AliasName").get<std::string>());
  }
  Check(step, answer);
}

void ContractTest::CheckRefusal(const json& want, const Answer& answer) const {
  for (const char* needed : {"exception", "code", "message"}) {
    if (!want.contains(needed)) throw CaseError(std::string("raises needs ") + needed);
  }
  EXPECT_FALSE(answer.ok());
  for (const auto& [name, value] : want.items()) {
    if (name == "exception") {
      EXPECT_EQ(answer.exception, value) << answer.message;
    } else if (name == "message") {
      EXPECT_EQ(answer.message, value);
    } else if (name != "code" && name != "status") {
      throw CaseError("unknown member of raises: " + name);
    }
  }
  EXPECT_EQ(answer.code, front_->WantedCode(want)) << answer.message;
}

void ContractTest::Check(const json& step, const Answer& answer) {
  if (step.contains("raises")) {
    CheckRefusal(Substitute(step.at("raises")), answer);
    return;
  }
  ASSERT_TRUE(answer.ok()) << answer.exception << ": " << answer.message;
  const auto at = [&](const std::string& pointer) {
    return answer.content.value(json::json_pointer(pointer), json());
  };
  const auto wanted = [&](const char* member) {
    return Substitute(step.value(member, json::object()));
  };
  const json expected = wanted("expect");
  for (const auto& [pointer, value] : expected.items()) {
    json got = at(pointer);
    // A document inside a string.
    if (value.is_object() && got.is_string()) got = json::parse(got.get<std::string>());
    EXPECT_EQ(got, value) << pointer << " of " << answer.content;
  }
  const json patterns = wanted("matches");
  for (const auto& [pointer, value] : patterns.items()) {
    EXPECT_THAT(at(pointer).dump(), ::testing::MatchesRegex('"' + value.get<std::string>() + '"'))
        << pointer << " of " << answer.content;
  }
  const json others = wanted("differs");
  for (const auto& [pointer, value] : others.items()) {
    EXPECT_FALSE(at(pointer).is_null()) << pointer << " of " << answer.content;
    EXPECT_NE(at(pointer), value) << pointer << " of " << answer.content;
  }
  for (const json& pointer : step.value("absent", json::array())) {
    EXPECT_FALSE(answer.content.contains(json::json_pointer(pointer.get<std::string>())))
        << pointer;
  }
  const json saved = step.value("save", json::object());
  for (const auto& [name, pointer] : saved.items()) {
    saved_[name] =
        answer.content.at(json::json_pointer(pointer.get<std::string>())).get<std::string>();
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

std::string NameOf(const ::testing::TestParamInfo<Case>& one) { return one.param.name; }

INSTANTIATE_TEST_SUITE_P(Grpc, ContractTest, ::testing::ValuesIn(LoadCases("grpc")), NameOf);
INSTANTIATE_TEST_SUITE_P(Aws, ContractTest, ::testing::ValuesIn(LoadCases("aws")), NameOf);

}  // namespace
}  // namespace hallmark::testing
