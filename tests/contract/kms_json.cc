#include "tests/contract/kms_json.h"

#include "keystate/bytes.h"
#include "proto/kms_names.h"

#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using nlohmann::json;

// Fields of our own have no KMS spelling.
std::string MemberName(const FieldDescriptor& field) {
  return field.number() >= 100 ? field.name() : field.json_name();
}

int EnumFrom(const json& value, const FieldDescriptor& field) {
  if (value.is_number()) return value.get<int>();
  const auto* known = proto::FindByKmsName(*field.enum_type(), value.get<std::string>());
  if (known == nullptr) throw CaseError("no such value: " + value.dump());
  return known->number();
}

void Set(const json& value, const FieldDescriptor* field, Message* message) {
  const Reflection& reflection = *message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const auto text = value.is_object() ? value.dump() : value.get<std::string>();
      reflection.SetString(message, field,
                           field->type() == FieldDescriptor::TYPE_BYTES ? BytesFrom(text) : text);
      return;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      reflection.SetEnumValue(message, field, EnumFrom(value, *field));
      return;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection.SetBool(message, field, value.get<bool>());
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      reflection.SetInt32(message, field, value.get<std::int32_t>());
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      reflection.SetUInt32(message, field, value.get<std::uint32_t>());
      return;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      FillFromKmsJson(value, reflection.MutableMessage(message, field));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      break;
  }
  throw CaseError("no case needs a field of this type yet: " + field->full_name());
}

void Add(const json& value, const FieldDescriptor* field, Message* message) {
  const Reflection& reflection = *message->GetReflection();
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    FillFromKmsJson(value, reflection.AddMessage(message, field));
  } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    reflection.AddString(message, field, value.get<std::string>());
  } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    reflection.AddEnumValue(message, field, EnumFrom(value, *field));
  } else {
    throw CaseError("no case needs a list of this type yet: " + field->full_name());
  }
}

json Value(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool item = field->is_repeated();
  std::string scratch;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string& text = item ? r.GetRepeatedStringReference(message, field, index, &scratch)
                                     : r.GetStringReference(message, field, &scratch);
      return field->type() == FieldDescriptor::TYPE_BYTES ? "hex:" + ToHex(AsBytes(text)) : text;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return std::string(proto::KmsName(item ? *r.GetRepeatedEnum(message, field, index)
                                             : *r.GetEnum(message, field)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return r.GetBool(message, field);
    case FieldDescriptor::CPPTYPE_INT32:
      return r.GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return r.GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& nested =
          item ? r.GetRepeatedMessage(message, field, index) : r.GetMessage(message, field);
      if (nested.GetDescriptor() == google::protobuf::Timestamp::descriptor()) {
        const auto& time = static_cast<const google::protobuf::Timestamp&>(nested);
        return static_cast<double>(time.seconds()) + time.nanos() / 1e9;
      }
      return ToKmsJson(nested);
    }
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      break;
  }
  throw CaseError("no case needs a field of this type yet: " + field->full_name());
}

}  // namespace

std::string BytesFrom(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (kind == "text") return rest;
  if (kind == "repeat") return std::string(std::stoul(rest), 'm');
  if (kind == "hex") {
    if (const auto bytes = FromHex(rest)) {
      return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
    }
  }
  throw CaseError("not bytes: " + text);
}

void FillFromKmsJson(const json& values, Message* message) {
  for (const auto& [name, value] : values.items()) {
    const FieldDescriptor* field = nullptr;
    for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
      if (MemberName(*message->GetDescriptor()->field(i)) == name) {
        field = message->GetDescriptor()->field(i);
      }
    }
    if (field == nullptr) throw CaseError("no such member: " + name);
    if (!field->is_repeated()) {
      Set(value, field, message);
    } else if (field->is_map()) {
      for (const auto& [key, item] : value.items()) {
        Add({{"key", key}, {"value", item}}, field, message);
      }
    } else {
      for (const json& item : value) Add(item, field, message);
    }
  }
}

json ToKmsJson(const Message& message) {
  json values = json::object();
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_map()) continue;  // no answer has any
    if (field->is_repeated()) {
      json list = json::array();
      for (int k = 0; k < reflection.FieldSize(message, field); ++k) {
        list.push_back(Value(message, field, k));
      }
      values[MemberName(*field)] = std::move(list);
    } else if (reflection.HasField(message, field)) {
      values[MemberName(*field)] = Value(message, field, 0);
    }
  }
  return values;
}

}  // namespace hallmark::testing
