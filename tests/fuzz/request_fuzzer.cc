// Requests as they come off the wire: checked without harm, and a refusal fits into its answer.
#include "hallmark/v1/kms.pb.h"
#include "service/app/validation.h"
#include "service/wire/error_map.h"
#include "tests/fuzz/promise.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hallmark {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::unique_ptr<Message> NewRequest(std::uint8_t selector) {
  const auto* service = v1::GenerateMacRequest::descriptor()->file()->service(0);
  const auto* type = service->method(selector % service->method_count())->input_type();
  auto* factory = google::protobuf::MessageFactory::generated_factory();
  return std::unique_ptr<Message>(factory->GetPrototype(type)->New());
}

// The same request with other contents in its `bytes` fields, of the same length.
std::unique_ptr<Message> WithOtherBytes(const Message& request) {
  std::unique_ptr<Message> other(request.New());
  other->CopyFrom(request);
  const auto* reflection = other->GetReflection();
  for (int i = 0; i < other->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = other->GetDescriptor()->field(i);
    if (field->type() != FieldDescriptor::TYPE_BYTES || !reflection->HasField(*other, field)) {
      continue;
    }
    const std::size_t size = reflection->GetString(*other, field).size();
    reflection->SetString(other.get(), field, std::string(size, '#'));
  }
  return other;
}

void CheckRefusal(const Error& error, const Message& request) {
  HALLMARK_PROMISE(error.exception == Exception::kValidationException);
  HALLMARK_PROMISE(error.message.find(" detected: ") != std::string::npos);
  // At most ten violations, each with one value, its path and a constraint.
  HALLMARK_PROMISE(error.message.size() <= 10 * (request.ByteSizeLong() + 1024));

  // Messages and MACs are nobody's business but the caller's: they leave no trace in the text.
  const Status other = app::Validate(*WithOtherBytes(request));
  HALLMARK_PROMISE(!other && other.error().message == error.message);

  // The default of gRPC's clients for all metadata of an answer.
  constexpr std::size_t kMaxMetadataBytes = 8192;
  const auto status = wire::MakeGrpcStatus(error, "0b8bd6a4-36f4-4b1c-9c6c-4f5a2c1d7e90");
  HALLMARK_PROMISE(status.message.size() + 4 * status.details.size() / 3 < kMaxMetadataBytes);
}

void CheckAccepted(const Message& request) {
  const auto* mac = dynamic_cast<const v1::GenerateMacRequest*>(&request);
  if (mac == nullptr) return;
  HALLMARK_PROMISE(!mac->message().empty() && mac->message().size() <= 4096);
  HALLMARK_PROMISE(!mac->key_id().empty());
  HALLMARK_PROMISE(v1::MacAlgorithm_IsValid(mac->mac_algorithm()));
  HALLMARK_PROMISE(mac->mac_algorithm() != v1::MAC_ALGORITHM_UNSPECIFIED);
  HALLMARK_PROMISE(mac->grant_tokens_size() <= 10);
}

}  // namespace
}  // namespace hallmark

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);  // it reports every string that is not UTF-8
  return 0;
}

// The first byte selects a method of KeyService, the rest is its request.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto request = hallmark::NewRequest(data[0]);
  if (!request->ParseFromArray(data + 1, static_cast<int>(size - 1))) return 0;
  const hallmark::Status checked = hallmark::app::Validate(*request);
  if (checked) {
    hallmark::CheckAccepted(*request);
  } else {
    hallmark::CheckRefusal(checked.error(), *request);
  }
  return 0;
}
