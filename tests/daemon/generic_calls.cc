#include "tests/daemon/generic_calls.h"

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <string_view>

namespace hallmark::testing {
namespace {

// HealthCheckRequest.service and ServerReflectionRequest.list_services, in the wire format.
constexpr std::string_view kHealthRequest =
    "\x0a\x16"
    "hallmark.v1.KeyService";
static_assert(kHealthRequest.size() == 2 + 0x16);
constexpr char kListServicesRequest[] = {0x3a, 0x00};

// One message there, one back, whether the method streams or not.
std::string Exchange(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                     std::string_view request) {
  const grpc::Slice slice(request.data(), request.size());
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, method, &queue);
  const auto done = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  std::string answer;
  grpc::ByteBuffer response;
  call->StartCall(nullptr);
  if (done()) {
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    static_cast<void>(done());
    call->Read(&response, nullptr);
    grpc::Slice whole;
    if (done() && response.DumpToSingleSlice(&whole).ok()) {
      answer.assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
    }
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  static_cast<void>(done());
  return answer;
}

}  // namespace

Health CheckHealth(const std::shared_ptr<grpc::Channel>& channel) {
  const std::string answer = Exchange(channel, "/grpc.health.v1.Health/Check", kHealthRequest);
  if (answer == "\x08\x01") return Health::kServing;
  if (answer == "\x08\x02") return Health::kNotServing;
  return Health::kUnreachable;
}

std::string ListServices(const std::shared_ptr<grpc::Channel>& channel) {
  return Exchange(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                  {kListServicesRequest, sizeof kListServicesRequest});
}

}  // namespace hallmark::testing
