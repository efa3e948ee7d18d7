#include "service/cli/request_builder.h"

#include "keystate/base64.h"
#include "proto/kms_names.h"
#include "service/cli/files.h"
#include "service/cli/names.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::cli {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::string_view kTextFile = "file://";
constexpr std::string_view kBinaryFile = "fileb://";

using FieldResult = Result<void, UsageError>;

// `where` is the flag, or the flag and the member of a structure: "--tags TagKey".
Unexpected<UsageError> Wrong(const std::string& where, const std::string& why) {
  return Unexpected(UsageError{where + ": " + why});
}

Result<std::string, UsageError> ReadFile(const std::string& where, std::string_view path) {
  auto content = ReadWholeFile(path);
  if (!content) return Wrong(where, content.error());
  return *std::move(content);
}

Result<std::string, UsageError> ReadText(const std::string& where, std::string_view word) {
  if (word.starts_with(kTextFile)) return ReadFile(where, word.substr(kTextFile.size()));
  if (word.starts_with(kBinaryFile)) {
    return Wrong(where, "takes text, so give its file as file://PATH, not fileb://PATH");
  }
  return std::string(word);
}

Result<std::string, UsageError> ReadBlob(const std::string& where, std::string_view word) {
  if (word.starts_with(kBinaryFile)) return ReadFile(where, word.substr(kBinaryFile.size()));
  std::string text(word);
  if (word.starts_with(kTextFile)) {
    HALLMARK_ASSIGN_OR_RETURN(text, ReadFile(where, word.substr(kTextFile.size())));
    // Editors and base64(1) end the text with a line break.
    text.erase(text.find_last_not_of("\r\n") + 1);
  }
  std::optional<std::string> bytes = DecodeBase64(text);
  if (!bytes) {
    return Wrong(where, "is not base64; give base64, or a file of raw bytes as fileb://PATH");
  }
  return *std::move(bytes);
}

template <class Number>
Result<Number, UsageError> ReadNumber(const std::string& where, const std::string& word) {
  Number number{};
  const char* end = word.data() + word.size();
  const auto [stopped, error] = std::from_chars(word.data(), end, number);
  if (error == std::errc::result_out_of_range) {
    return Wrong(where, "'" + word + "' is too large a number");
  }
  if (error != std::errc{} || stopped != end) {
    return Wrong(where, "'" + word + "' is not a whole number");
  }
  return number;
}

Result<const EnumValueDescriptor*, UsageError> ReadEnum(const std::string& where,
                                                        const EnumDescriptor& type,
                                                        const std::string& word) {
  const EnumValueDescriptor* value = proto::FindByKmsName(type, word);
  if (value != nullptr) return value;
  return Wrong(where, "'" + word + "' is not one of " + proto::KmsNames(type));
}

// Sets a singular field, or adds to a repeated one.
class FieldWriter {
 public:
  FieldWriter(const FieldDescriptor& field, Message* message)
      : field_(field), message_(message), reflection_(*message->GetReflection()) {}

  FieldResult Write(const std::string& where, const std::string& word);

 private:
  FieldResult WriteStructure(const std::string& where, std::string_view shorthand);

  template <class Value, class Argument>
  void Put(void (Reflection::*set)(Message*, const FieldDescriptor*, Value) const,
           void (Reflection::*add)(Message*, const FieldDescriptor*, Value) const,
           Argument&& value) {
    (reflection_.*(field_.is_repeated() ? add : set))(message_, &field_,
                                                      std::forward<Argument>(value));
  }

  const FieldDescriptor& field_;
  Message* message_;
  const Reflection& reflection_;
};

FieldResult FieldWriter::Write(const std::string& where, const std::string& word) {
  switch (field_.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const bool blob = field_.type() == FieldDescriptor::TYPE_BYTES;
      HALLMARK_ASSIGN_OR_RETURN(std::string value,
                                blob ? ReadBlob(where, word) : ReadText(where, word));
      Put(&Reflection::SetString, &Reflection::AddString, std::move(value));
      return {};
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      HALLMARK_ASSIGN_OR_RETURN(const EnumValueDescriptor* value,
                                ReadEnum(where, *field_.enum_type(), word));
      Put(&Reflection::SetEnum, &Reflection::AddEnum, value);
      return {};
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      if (word != "true" && word != "false") {
        return Wrong(where, "'" + word + "' is neither true nor false");
      }
      Put(&Reflection::SetBool, &Reflection::AddBool, word == "true");
      return {};
    case FieldDescriptor::CPPTYPE_INT32: {
      HALLMARK_ASSIGN_OR_RETURN(const auto value, ReadNumber<std::int32_t>(where, word));
      Put(&Reflection::SetInt32, &Reflection::AddInt32, value);
      return {};
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      HALLMARK_ASSIGN_OR_RETURN(const auto value, ReadNumber<std::int64_t>(where, word));
      Put(&Reflection::SetInt64, &Reflection::AddInt64, value);
      return {};
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      HALLMARK_ASSIGN_OR_RETURN(const auto value, ReadNumber<std::uint32_t>(where, word));
      Put(&Reflection::SetUInt32, &Reflection::AddUInt32, value);
      return {};
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      HALLMARK_ASSIGN_OR_RETURN(const auto value, ReadNumber<std::uint64_t>(where, word));
      Put(&Reflection::SetUInt64, &Reflection::AddUInt64, value);
      return {};
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return WriteStructure(where, word);
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      break;
  }
  return Wrong(where, "cannot be given on the command line; call the service over gRPC instead");
}

struct Assignment {
  std::string member;
  std::string value;
};

// Reads "Member=value" off the front of `rest`, with the comma that follows.
std::optional<Assignment> TakeAssignment(std::string_view& rest) {
  const std::size_t equals = rest.find('=');
  if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
  Assignment assignment{std::string(rest.substr(0, equals)), {}};
  rest.remove_prefix(equals + 1);

  char quote = '\0';
  if (!rest.empty() && (rest.front() == '"' || rest.front() == '\'')) {
    quote = rest.front();
    rest.remove_prefix(1);
  }
  while (!rest.empty() && rest.front() != (quote != '\0' ? quote : ',')) {
    if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
    assignment.value += rest.front();
    rest.remove_prefix(1);
  }
  if (quote != '\0') {
    if (rest.empty()) return std::nullopt;
    rest.remove_prefix(1);
  }
  if (rest.empty()) return assignment;
  if (rest.front() != ',' || rest.size() == 1) return std::nullopt;
  rest.remove_prefix(1);
  return assignment;
}

const FieldDescriptor* FindMember(const google::protobuf::Descriptor& type, std::string_view name) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (Spelling(*type.field(i)) == name) return type.field(i);
  }
  return nullptr;
}

std::string MembersOf(const google::protobuf::Descriptor& type) {
  std::string text;
  for (int i = 0; i < type.field_count(); ++i) {
    if (i > 0) text += ',';
    text += Spelling(*type.field(i)) + "=value";
  }
  return text;
}

FieldResult FieldWriter::WriteStructure(const std::string& where, std::string_view shorthand) {
  const google::protobuf::Descriptor& type = *field_.message_type();
  Message* structure = field_.is_repeated() ? reflection_.AddMessage(message_, &field_)
                                            : reflection_.MutableMessage(message_, &field_);
  if (IsPair(type)) {
    const std::size_t equals = shorthand.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return Wrong(where, "'" + std::string(shorthand) + "' is not of the form KEY=VALUE");
    }
    structure->GetReflection()->SetString(structure, type.field(0),
                                          std::string(shorthand.substr(0, equals)));
    structure->GetReflection()->SetString(structure, type.field(1),
                                          std::string(shorthand.substr(equals + 1)));
    return {};
  }
  std::string_view rest = shorthand;
  while (!rest.empty()) {
    const std::optional<Assignment> assignment = TakeAssignment(rest);
    const FieldDescriptor* member = assignment ? FindMember(type, assignment->member) : nullptr;
    if (member == nullptr) {
      return Wrong(where, "'" + std::string(shorthand) + "' is not of the form " + MembersOf(type));
    }
    HALLMARK_RETURN_IF_ERROR(
        FieldWriter(*member, structure).Write(where + " " + assignment->member, assignment->value));
  }
  return {};
}

}  // namespace

FieldResult SetField(const FieldDescriptor& field, std::span<const std::string> words,
                     Message* request) {
  const std::string flag = FlagName(field);
  if (!field.is_repeated() && words.size() != 1) return Wrong(flag, "takes exactly one value");
  FieldWriter writer(field, request);
  for (const std::string& word : words) HALLMARK_RETURN_IF_ERROR(writer.Write(flag, word));
  return {};
}

}  // namespace hallmark::cli
