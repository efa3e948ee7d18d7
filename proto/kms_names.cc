#include "proto/kms_names.h"

#include "hallmark/v1/options.pb.h"

#include <google/protobuf/unknown_field_set.h>

#include <cctype>
#include <cstdint>
#include <limits>

namespace hallmark::proto {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// The n-th of the unknown fields is named by this number + n.
constexpr int kFirstUnknown = std::numeric_limits<int>::min();

// The largest field number of the wire format is one less.
constexpr int kBeyondWire = 1 << 29;

// "MAC_ALGORITHM_" is 14 for "MacAlgorithm": one character per letter, one per word.
std::size_t PrefixLength(std::string_view enum_name) {
  std::size_t length = enum_name.size() + 1;
  for (std::size_t i = 1; i < enum_name.size(); ++i) {
    if (std::isupper(static_cast<unsigned char>(enum_name[i])) != 0) ++length;
  }
  return length;
}

}  // namespace

std::string_view KmsName(const EnumValueDescriptor& value) {
  if (value.options().HasExtension(v1::kms_name)) return value.options().GetExtension(v1::kms_name);
  return std::string_view(value.name()).substr(PrefixLength(value.type()->name()));
}

const EnumValueDescriptor* FindByKmsName(const EnumDescriptor& type, std::string_view name) {
  for (int i = 0; i < type.value_count(); ++i) {
    const auto* value = type.value(i);
    if (value->number() != 0 && KmsName(*value) == name) return value;
  }
  return nullptr;
}

std::string KmsNames(const EnumDescriptor& type) {
  std::string names;
  for (int i = 0; i < type.value_count(); ++i) {
    const auto* value = type.value(i);
    if (value->number() == 0) continue;
    names.append(names.empty() ? "[" : ", ").append(KmsName(*value));
  }
  return names + "]";
}

void KeepUnknownName(std::string_view text, const FieldDescriptor& field, Message* message) {
  UnknownFieldSet* kept = message->GetReflection()->MutableUnknownFields(message);
  const int number = kFirstUnknown + kept->field_count();
  kept->AddLengthDelimited(kBeyondWire + field.number())->assign(text);
  if (field.is_repeated()) {
    message->GetReflection()->AddEnumValue(message, &field, number);
  } else {
    message->GetReflection()->SetEnumValue(message, &field, number);
  }
}

std::optional<std::string_view> UnknownName(const Message& message, const FieldDescriptor& field,
                                            int number) {
  const UnknownFieldSet& kept = message.GetReflection()->GetUnknownFields(message);
  const std::int64_t index = std::int64_t{number} - kFirstUnknown;
  if (index >= kept.field_count()) return std::nullopt;
  const UnknownField& found = kept.field(static_cast<int>(index));
  if (found.number() != kBeyondWire + field.number()) return std::nullopt;
  return found.length_delimited();
}

}  // namespace hallmark::proto
