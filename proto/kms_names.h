// How KMS spells the values of the schema's enums, and what becomes of texts that are none of them.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <optional>
#include <string>
#include <string_view>

namespace hallmark::proto {

// "HMAC_256" for KEY_SPEC_HMAC_256, "Enabled" for KEY_STATE_ENABLED.
std::string_view KmsName(const google::protobuf::EnumValueDescriptor& value);

// Null unless `name` is the KMS spelling of a value other than the unspecified one.
const google::protobuf::EnumValueDescriptor* FindByKmsName(
    const google::protobuf::EnumDescriptor& type, std::string_view name);

// "[HMAC_SHA_224, HMAC_SHA_256, …]", as an enum violation lists them.
std::string KmsNames(const google::protobuf::EnumDescriptor& type);

// Keeps a text that is no name of the enum's values, so that whoever checks the message can show
// it: the field, or a new item of it, gets a number that no value has, and the text stands among
// the message's unknown fields. Such a message is not to be serialized.
void KeepUnknownName(std::string_view text, const google::protobuf::FieldDescriptor& field,
                     google::protobuf::Message* message);

// The text that was kept for this number of an enum field; nothing for any other number. What
// comes off the wire has none: its texts stand under field numbers that the wire format lacks.
std::optional<std::string_view> UnknownName(const google::protobuf::Message& message,
                                            const google::protobuf::FieldDescriptor& field,
                                            int number);

}  // namespace hallmark::proto
