#include "keystate/base64.h"
#include "proto/kms_names.h"
#include "service/json/json_writer.h"
#include "service/wire/json_codec.h"
#include "service/wire/json_members.h"

#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

namespace hallmark::wire {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

// A number of seconds with as many digits of the milliseconds as it needs.
std::string Seconds(const Timestamp& time) {
  const std::int64_t milliseconds = time.seconds() * 1'000 + time.nanos() / 1'000'000;
  const auto magnitude = static_cast<std::uint64_t>(std::llabs(milliseconds));
  std::string text = milliseconds < 0 ? "-" : "";
  text += std::to_string(magnitude / 1'000);
  if (magnitude % 1'000 == 0) return text;
  // 1'007 is written as it stands, but for its first digit: ".007".
  const std::string thousandths = std::to_string(1'000 + magnitude % 1'000);
  text += '.' + thousandths.substr(1, thousandths.find_last_not_of('0'));
  return text;
}

// The KMS spelling, or the text that was read where there is none; nothing for "unspecified".
std::optional<std::string_view> EnumText(const Message& message, const FieldDescriptor& field,
                                         int number) {
  const auto* value = field.enum_type()->FindValueByNumber(number);
  if (value == nullptr) return proto::UnknownName(message, field, number);
  if (number == 0) return std::nullopt;
  return proto::KmsName(*value);
}

class Writer {
 public:
  void Structure(const Message& message);
  std::string Take() { return out_.Take(); }

 private:
  // `item` -1: the field is not repeated.
  void Value(const Message& message, const FieldDescriptor& field, int item);
  void List(const Message& message, const FieldDescriptor& field);
  void Map(const Message& message, const FieldDescriptor& field);

  JsonWriter out_;
};

void Writer::Value(const Message& message, const FieldDescriptor& field, int item) {
  const Reflection& r = *message.GetReflection();
  const bool repeated = item >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& text = repeated
                                    ? r.GetRepeatedStringReference(message, &field, item, &scratch)
                                    : r.GetStringReference(message, &field, &scratch);
      if (field.type() == FieldDescriptor::TYPE_BYTES) return out_.Text(EncodeBase64(text));
      return out_.Text(text);
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = repeated ? r.GetRepeatedEnumValue(message, &field, item)
                                  : r.GetEnumValue(message, &field);
      if (const auto text = EnumText(message, field, number)) out_.Text(*text);
      return;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return out_.Bool(repeated ? r.GetRepeatedBool(message, &field, item)
                                : r.GetBool(message, &field));
    case FieldDescriptor::CPPTYPE_INT32:
      return out_.Number(repeated ? r.GetRepeatedInt32(message, &field, item)
                                  : r.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return out_.Number(repeated ? r.GetRepeatedInt64(message, &field, item)
                                  : r.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& nested =
          repeated ? r.GetRepeatedMessage(message, &field, item) : r.GetMessage(message, &field);
      if (IsTimestamp(field)) return out_.Raw(Seconds(static_cast<const Timestamp&>(nested)));
      return Structure(nested);
    }
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      break;
  }
  std::abort();  // MembersOf lets no such member through
}

void Writer::List(const Message& message, const FieldDescriptor& field) {
  const int size = message.GetReflection()->FieldSize(message, &field);
  out_.BeginArray();
  for (int i = 0; i < size; ++i) Value(message, field, i);
  out_.EndArray();
}

void Writer::Map(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<std::pair<std::string, const Message*>> entries;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    entries.emplace_back(entry.GetReflection()->GetString(entry, field.message_type()->map_key()),
                         &entry);
  }
  // The map itself has an order of its own in every process.
  std::sort(entries.begin(), entries.end());
  out_.BeginObject();
  for (const auto& [key, entry] : entries) {
    out_.Name(key);
    Value(*entry, *field.message_type()->map_value(), -1);
  }
  out_.EndObject();
}

void Writer::Structure(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  out_.BeginObject();
  for (const JsonMember& member : MembersOf(message.GetDescriptor())) {
    const FieldDescriptor& field = *member.field;
    if (field.is_map()) {
      if (reflection.FieldSize(message, &field) == 0) continue;
      out_.Name(member.name);
      Map(message, field);
    } else if (field.is_repeated()) {
      // Empty ones, too: KMS answers "Tags":[] where there are none.
      out_.Name(member.name);
      List(message, field);
    } else if (reflection.HasField(message, &field)) {
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM &&
          !EnumText(message, field, reflection.GetEnumValue(message, &field))) {
        continue;
      }
      out_.Name(member.name);
      Value(message, field, -1);
    }
  }
  out_.EndObject();
}

}  // namespace

std::string ToKmsJson(const Message& message) {
  if (MembersOf(message.GetDescriptor()).empty()) return "";
  Writer writer;
  writer.Structure(message);
  return writer.Take();
}

}  // namespace hallmark::wire
