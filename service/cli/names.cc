#include "service/cli/names.h"

#include "hallmark/v1/options.pb.h"

#include <cstddef>

namespace hallmark::cli {
namespace {

// Not <cctype>: names are ASCII, whatever the locale.
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

std::string KebabCase(std::string_view name) {
  std::string kebab;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (!IsUpper(c)) {
      kebab += c == '_' ? '-' : c;
      continue;
    }
    // A word begins after a lower-case letter or digit, and at the last capital of a run.
    const bool after_word = i > 0 && !IsUpper(name[i - 1]);
    const bool ends_run = i > 0 && i + 1 < name.size() && IsLower(name[i + 1]);
    if (after_word || ends_run) kebab += '-';
    kebab += static_cast<char>(c - 'A' + 'a');
  }
  return kebab;
}

bool IsExtension(const google::protobuf::FieldDescriptor& field) {
  return field.options().GetExtension(v1::extension);
}

bool IsPair(const google::protobuf::Descriptor& type) {
  return type.options().GetExtension(v1::command_line_pair);
}

const std::string& Spelling(const google::protobuf::FieldDescriptor& field) {
  return IsExtension(field) ? field.name() : field.json_name();
}

std::string FlagName(const google::protobuf::FieldDescriptor& field) {
  return "--" + KebabCase(Spelling(field));
}

}  // namespace hallmark::cli
