// Bodies of requests of the AWS front: read into a message, or refused without a trace of them.
#include "hallmark/v1/kms.pb.h"
#include "hallmark/v1/options.pb.h"
#include "service/app/validation.h"
#include "service/wire/json_codec.h"
#include "tests/fuzz/promise.h"

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

// Requests and answers: only answers have times. Null for what the AWS front does not have.
std::unique_ptr<Message> NewMessage(std::uint8_t selector) {
  const auto* service = v1::GenerateMacRequest::descriptor()->file()->service(0);
  const auto* method = service->method(selector % service->method_count());
  if (method->options().GetExtension(v1::own)) return nullptr;
  const bool answer = selector / service->method_count() % 2 == 1;
  auto* factory = google::protobuf::MessageFactory::generated_factory();
  return std::unique_ptr<Message>(
      factory->GetPrototype(answer ? method->output_type() : method->input_type())->New());
}

// A message's own name for an enum text depends on the order of the body's members.
bool HasUnknownNames(const Message& message) {
  const auto* reflection = message.GetReflection();
  if (!reflection->GetUnknownFields(message).empty()) return true;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->message_type() == nullptr) continue;
    if (!field->is_repeated()) {
      if (HasUnknownNames(reflection->GetMessage(message, field))) return true;
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      if (HasUnknownNames(reflection->GetRepeatedMessage(message, field, i))) return true;
    }
  }
  return false;
}

void CheckAccepted(const Message& message) {
  const std::string written = wire::ToKmsJson(message);
  const std::unique_ptr<Message> again(message.New());
  HALLMARK_PROMISE(wire::FromKmsJson(written, again.get()));
  HALLMARK_PROMISE(wire::ToKmsJson(*again) == written);
  HALLMARK_PROMISE(HasUnknownNames(message) || MessageDifferencer::Equals(message, *again));

  const Status checked = app::Validate(message);
  const Status checked_again = app::Validate(*again);
  HALLMARK_PROMISE(checked.has_value() == checked_again.has_value());
  HALLMARK_PROMISE(checked || checked.error().message == checked_again.error().message);
}

void CheckRefused(const Error& error) {
  HALLMARK_PROMISE(error.exception == Exception::kSerializationException);
  // Of words and paths of ours: letters, a few signs, and no room for a text of the caller's.
  HALLMARK_PROMISE(error.message.size() < 200);
  HALLMARK_PROMISE(std::all_of(error.message.begin(), error.message.end(),
                               [](char c) { return c >= ' ' && c <= '~'; }));
}

}  // namespace
}  // namespace hallmark

// The first byte selects a message of KeyService, the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto message = hallmark::NewMessage(data[0]);
  if (message == nullptr) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const hallmark::Status read = hallmark::wire::FromKmsJson(body, message.get());
  if (read) {
    hallmark::CheckAccepted(*message);
  } else {
    hallmark::CheckRefused(read.error());
  }
  return 0;
}
