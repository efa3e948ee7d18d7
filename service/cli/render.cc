#include "service/cli/render.h"

#include "keystate/base64.h"
#include "proto/kms_names.h"
#include "service/cli/names.h"
#include "service/cli/table.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace hallmark::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;
using Json = nlohmann::ordered_json;

constexpr int kIndent = 4;

// "2026-01-31T12:00:00.250000+00:00"; the fraction is left out when it is nothing.
std::string FormatTime(const Timestamp& time) {
  const std::time_t seconds = time.seconds();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::string formatted(text.data(),
                        std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts));
  if (const int microseconds = time.nanos() / 1000; microseconds != 0) {
    const std::string digits = std::to_string(microseconds);
    formatted += "." + std::string(6 - digits.size(), '0') + digits;
  }
  return formatted + "+00:00";
}

enum class EmptyLists { kShown, kLeftOut };
Json MessageToJson(const Message& message, Members members, EmptyLists empty_lists);

// The value of a singular field, or item `index` of a repeated one.
Json ValueToJson(const Message& message, const FieldDescriptor& field, std::optional<int> index,
                 Members members) {
  const Reflection& r = *message.GetReflection();
  const FieldDescriptor* f = &field;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string text = index ? r.GetRepeatedString(message, f, *index) : r.GetString(message, f);
      return field.type() == FieldDescriptor::TYPE_BYTES ? EncodeBase64(text) : text;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return std::string(
          proto::KmsName(*(index ? r.GetRepeatedEnum(message, f, *index) : r.GetEnum(message, f))));
    case FieldDescriptor::CPPTYPE_BOOL:
      return index ? r.GetRepeatedBool(message, f, *index) : r.GetBool(message, f);
    case FieldDescriptor::CPPTYPE_INT32:
      return index ? r.GetRepeatedInt32(message, f, *index) : r.GetInt32(message, f);
    case FieldDescriptor::CPPTYPE_INT64:
      return index ? r.GetRepeatedInt64(message, f, *index) : r.GetInt64(message, f);
    case FieldDescriptor::CPPTYPE_UINT32:
      return index ? r.GetRepeatedUInt32(message, f, *index) : r.GetUInt32(message, f);
    case FieldDescriptor::CPPTYPE_UINT64:
      return index ? r.GetRepeatedUInt64(message, f, *index) : r.GetUInt64(message, f);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return index ? r.GetRepeatedFloat(message, f, *index) : r.GetFloat(message, f);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return index ? r.GetRepeatedDouble(message, f, *index) : r.GetDouble(message, f);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  const Message& structure =
      index ? r.GetRepeatedMessage(message, f, *index) : r.GetMessage(message, f);
  if (structure.GetDescriptor() == Timestamp::descriptor()) {
    return FormatTime(static_cast<const Timestamp&>(structure));
  }
  return MessageToJson(structure, members, EmptyLists::kLeftOut);
}

Json MessageToJson(const Message& message, Members members, EmptyLists empty_lists) {
  Json object = Json::object();
  const Reflection& reflection = *message.GetReflection();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (members == Members::kKms && IsExtension(field)) continue;
    if (!field.is_repeated()) {
      if (reflection.HasField(message, &field)) {
        object[Spelling(field)] = ValueToJson(message, field, std::nullopt, members);
      }
      continue;
    }
    const int size = reflection.FieldSize(message, &field);
    if (size == 0 && empty_lists == EmptyLists::kLeftOut) continue;
    Json& list = object[Spelling(field)] = Json::array();
    for (int item = 0; item < size; ++item) {
      list.push_back(ValueToJson(message, field, item, members));
    }
  }
  return object;
}

// Tab-separated text: the scalars of a structure make one line in the order of their names, led by
// the name of the member that holds the structure; lists and structures follow, each on its own.
class TextWriter {
 public:
  void Structure(const Json& object, const std::string& name,
                 const std::optional<std::set<std::string>>& columns);
  void List(const Json& items, const std::string& name);
  std::string Take() && { return std::move(text_); }

 private:
  void Line(const std::string& name, const std::vector<std::string>& cells);
  std::string text_;
};

std::string UpperCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

void TextWriter::Line(const std::string& name, const std::vector<std::string>& cells) {
  std::string line = UpperCase(name);
  for (const std::string& cell : cells) {
    if (!line.empty()) line += '\t';
    line += cell;
  }
  text_ += line + '\n';
}

void TextWriter::Structure(const Json& object, const std::string& name,
                           const std::optional<std::set<std::string>>& columns) {
  std::map<std::string, std::string> scalars;
  std::map<std::string, const Json*> others;
  // Structures of one list have the same columns, so that a missing member does not shift the rest.
  if (columns) {
    for (const std::string& column : *columns) scalars[column];
  }
  for (const auto& [key, value] : object.items()) {
    if (value.is_structured()) {
      others[key] = &value;
    } else {
      scalars[key] = ScalarText(value);
    }
  }
  std::vector<std::string> cells;
  for (const auto& [key, text] : scalars) cells.push_back(text);
  if (!cells.empty()) Line(name, cells);
  for (const auto& [key, value] : others) {
    value->is_array() ? List(*value, key) : Structure(*value, key, std::nullopt);
  }
}

void TextWriter::List(const Json& items, const std::string& name) {
  std::set<std::string> columns;
  for (const Json& item : items) {
    if (!item.is_object()) continue;
    for (const auto& [key, value] : item.items()) {
      if (!value.is_structured()) columns.insert(key);
    }
  }
  for (const Json& item : items) {
    item.is_object() ? Structure(item, name, columns) : Line(name, {ScalarText(item)});
  }
}

}  // namespace

Json ToKmsJson(const Message& answer, Members members) {
  return MessageToJson(answer, members, EmptyLists::kShown);
}

std::string Render(const Json& answer, std::string_view title, OutputFormat format) {
  if (answer.empty()) return {};
  switch (format) {
    case OutputFormat::kJson:
      return answer.dump(kIndent) + '\n';
    case OutputFormat::kText: {
      TextWriter writer;
      writer.Structure(answer, {}, std::nullopt);
      return std::move(writer).Take();
    }
    case OutputFormat::kTable:
      break;
  }
  return RenderTable(answer, title);
}

}  // namespace hallmark::cli
