#include "tests/contract/front.h"
#include "tests/contract/kms_json.h"

#include <google/protobuf/dynamic_message.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>

namespace hallmark::testing {
namespace {

using google::protobuf::Message;
using nlohmann::json;

std::string NameOf(grpc::StatusCode code) {
  static const std::map<grpc::StatusCode, std::string> kNames{
      {grpc::StatusCode::OK, "OK"},
      {grpc::StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT"},
      {grpc::StatusCode::NOT_FOUND, "NOT_FOUND"},
      {grpc::StatusCode::ALREADY_EXISTS, "ALREADY_EXISTS"},
      {grpc::StatusCode::PERMISSION_DENIED, "PERMISSION_DENIED"},
      {grpc::StatusCode::FAILED_PRECONDITION, "FAILED_PRECONDITION"},
      {grpc::StatusCode::UNIMPLEMENTED, "UNIMPLEMENTED"},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"},
      {grpc::StatusCode::UNAVAILABLE, "UNAVAILABLE"}};
  const auto found = kNames.find(code);
  return found == kNames.end() ? "code " + std::to_string(code) : found->second;
}

class GrpcFront final : public Front {
 public:
  Answer Call(World& world, const std::string& caller,
              const google::protobuf::MethodDescriptor& method,
              const json& request) const override {
    auto* factory = google::protobuf::MessageFactory::generated_factory();
    const std::unique_ptr<Message> sent(factory->GetPrototype(method.input_type())->New());
    const std::unique_ptr<Message> received(factory->GetPrototype(method.output_type())->New());
    FillFromKmsJson(request, sent.get());

    grpc::TemplatedGenericStub<Message, Message> stub(world.ClientFor(caller).channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    grpc::CompletionQueue queue;
    const auto call =
        stub.PrepareUnaryCall(&context, "/hallmark.v1.KeyService/" + method.name(), *sent, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(received.get(), &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);

    const Outcome outcome = OutcomeOf(status);
    Answer answer{{}, outcome.exception, outcome.message, NameOf(outcome.code)};
    if (outcome.ok()) {
      answer.content = ToKmsJson(*received);
    } else if (answer.exception.empty()) {
      answer.exception = "(none)";
    }
    return answer;
  }

  std::string WantedCode(const json& raises) const override {
    return raises.at("code").get<std::string>();
  }
};

}  // namespace

std::unique_ptr<Front> MakeGrpcFront() { return std::make_unique<GrpcFront>(); }

}  // namespace hallmark::testing
