// How operations and fields are spelled on the command line and in output.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

namespace hallmark::cli {

// "GenerateMac" → "generate-mac", "AWSAccountId" → "aws-account-id", "message_crc32c" →
// "message-crc32c".
std::string KebabCase(std::string_view name);

// True for a field that KMS does not have.
bool IsExtension(const google::protobuf::FieldDescriptor& field);

// True for a structure that is written KEY=VALUE.
bool IsPair(const google::protobuf::Descriptor& type);

// The KMS spelling; for a field of Hallmark's own its name in the schema.
const std::string& Spelling(const google::protobuf::FieldDescriptor& field);

// "--key-id"
std::string FlagName(const google::protobuf::FieldDescriptor& field);

}  // namespace hallmark::cli
