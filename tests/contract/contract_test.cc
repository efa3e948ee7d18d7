// Runs every case of cases/*.json against a real daemon. What a case may hold is in README.md; an
// unknown member is an error, so that a typo cannot pass as an expectation.
#include "tests/contract/kms_json.h"
#include "tests/support/test_daemon.h"

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

// One daemon and four principals serve every case; cases make their own keys.
class World {
 public:
  World() {
    daemon_.Start();
    clients_.emplace("admin", daemon_.AddPrincipal(TestDaemon::kAdmin, TestDaemon::kAllowAll));
    clients_.emplace("nobody", daemon_.AddPrincipal("arn:aws:iam::111122223333:user/Nobody", ""));
    clients_.emplace(
        "denied",
        daemon_.AddPrincipal(
            "arn:aws:iam::111122223333:user/Denied",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"},
                {"Effect":"Deny","Action":["kms:GenerateMac","kms:VerifyMac"],"Resource":"*"}]})"));
    clients_.emplace(
        "guarded_foreigner",
        daemon_.AddPrincipal(
            "arn:aws:iam::444455556666:user/Guarded",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
                {"Effect":"Deny","Action":"*","Resource":"arn:aws:kms:us-west-2:111122223333:key/*"}]})"));
    clients_.emplace("foreigner", daemon_.AddPrincipal("arn:aws:iam::444455556666:user/Foreigner",
                                                       TestDaemon::kAllowAll));
  }

  TestDaemon& daemon() { return daemon_; }

  // Key states that no operation can set yet are set in the store while the daemon is down.
  void SetState(const std::string& key_id, const std::string& state) {
    ASSERT_EQ(daemon_.Stop(), 0);
    const std::map<std::string, KeyState> states{{"Disabled", KeyState::kDisabled},
                                                 {"PendingDeletion", KeyState::kPendingDeletion},
                                                 {"PendingImport", KeyState::kPendingImport}};
    daemon_.SetKeyState(key_id, states.at(state));
    daemon_.Start();
    for (auto& [name, client] : clients_) client = daemon_.Connect(client.credentials);
  }

  const Client& ClientFor(const std::string& name) const { return clients_.at(name); }

 private:
  TestDaemon daemon_;
  std::map<std::string, Client> clients_;
};

World& SharedWorld() {
  static World world;
  return world;
}

class ContractTest : public ::testing::TestWithParam<Case> {
 protected:
  void RunStep(const json& step);
  json Substitute(const json& value) const;

  std::map<std::string, std::string> variables_;

 private:
  void RunCall(const json& step);
  void Check(const json& step, const Outcome& outcome, const json& answer);
};

// "${name}" inside any string is replaced by what an earlier step saved.
json ContractTest::Substitute(const json& value) const {
  if (value.is_string()) {
    std::string text = value.get<std::string>();
    for (const auto& [name, replacement] : variables_) {
      const std::string reference = "${" + name + "}";
      for (std::size_t at = text.find(reference); at != std::string::npos;
           at = text.find(reference)) {
        text.replace(at, reference.size(), replacement);
      }
    }
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
  static const std::set<std::string> kMembers{"call",   "as",     "with",   "expect",
                                              "raises", "absent", "save",   "set_state",
                                              "key",    "faults", "comment"};
  for (const auto& [name, value] : step.items()) {
    if (kMembers.count(name) == 0) throw CaseError("unknown member of a step: " + name);
  }
  if (step.contains("set_state")) {
    SharedWorld().SetState(Substitute(step.at("key")), step.at("set_state"));
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

void ContractTest::Check(const json& step, const Outcome& outcome, const json& answer) {
  if (step.contains("raises")) {
    const json want = Substitute(step.at("raises"));
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
    return;
  }
  ASSERT_TRUE(outcome.ok()) << outcome;
  const json expected = Substitute(step.value("expect", json::object()));
  for (const auto& [pointer, value] : expected.items()) {
    EXPECT_EQ(answer.value(json::json_pointer(pointer), json()), value)
        << pointer << " of " << answer;
  }
  for (const json& pointer : step.value("absent", json::array())) {
    EXPECT_FALSE(answer.contains(json::json_pointer(pointer.get<std::string>()))) << pointer;
  }
  const json saved = step.value("save", json::object());
  for (const auto& [name, pointer] : saved.items()) {
    variables_[name] = answer.at(json::json_pointer(pointer.get<std::string>())).get<std::string>();
  }
}

TEST_P(ContractTest, Holds) {
  const json& content = GetParam().content;
  ASSERT_TRUE(content.contains("description"));
  SCOPED_TRACE(content.at("description").get<std::string>());
  variables_ = {{"account", TestDaemon::kAccount}};
  int number = 0;
  for (const json& step : content.at("steps")) {
    SCOPED_TRACE("step " + std::to_string(++number) + ": " + step.dump().substr(0, 300));
    try {
      RunStep(step);
    } catch (const std::exception& wrong) {
      FAIL() << "the case is written wrongly: " << wrong.what();
    }
  }
  SharedWorld().daemon().SetFaults("");
}

INSTANTIATE_TEST_SUITE_P(Cases, ContractTest, ::testing::ValuesIn(LoadCases()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace hallmark::testing
