#include "tests/service/wire/sample_messages.h"

#include "hallmark/v1/kms.pb.h"
#include "hallmark/v1/options.pb.h"

#include <google/protobuf/timestamp.pb.h>

#include <string>

namespace hallmark::wire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

// A value that tells the member, and in a list the item.
void FillOne(Extensions extensions, const FieldDescriptor* field, int item, Message* message) {
  const Reflection& r = *message->GetReflection();
  const bool list = field->is_repeated();
  const std::string text = field->json_name() + (list ? " " + std::to_string(item) : "");
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return list ? r.AddString(message, field, text) : r.SetString(message, field, text);
    case FieldDescriptor::CPPTYPE_BOOL:
      return r.SetBool(message, field, true);
    case FieldDescriptor::CPPTYPE_INT32:
      return r.SetInt32(message, field, field->number());
    case FieldDescriptor::CPPTYPE_UINT32:
      return r.SetUInt32(message, field, 0xFFFF'FFFFU);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = field->enum_type()->value(1 + item)->number();
      return list ? r.AddEnumValue(message, field, number) : r.SetEnumValue(message, field, number);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      Message* nested = list ? r.AddMessage(message, field) : r.MutableMessage(message, field);
      if (auto* time = dynamic_cast<Timestamp*>(nested)) {
        time->set_seconds(1'669'973'196 + field->number());
        time->set_nanos(214'000'000);
        return;
      }
      FillSample(extensions, nested);
      if (field->is_map()) {
        const FieldDescriptor* key = field->message_type()->map_key();
        nested->GetReflection()->SetString(nested, key, text);
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      break;  // no member is of these; an unfilled one would miss in the golden bodies
  }
}

}  // namespace

std::vector<const google::protobuf::MethodDescriptor*> KmsMethods() {
  const auto* service = v1::GenerateMacRequest::descriptor()->file()->service(0);
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  for (int i = 0; i < service->method_count(); ++i) {
    const auto* method = service->method(i);
    if (!method->options().GetExtension(v1::own)) methods.push_back(method);
  }
  return methods;
}

std::unique_ptr<Message> NewMessage(const Descriptor* type) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

void FillSample(Extensions extensions, Message* message) {
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    const bool own = field->options().GetExtension(v1::extension);
    if (own && extensions == Extensions::kAbsent) continue;
    for (int item = 0; item < (field->is_repeated() ? 2 : 1); ++item) {
      FillOne(extensions, field, item, message);
    }
  }
}

}  // namespace hallmark::wire
