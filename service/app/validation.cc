#include "service/app/validation.h"

#include "hallmark/v1/options.pb.h"
#include "keystate/mutex.h"
#include "proto/kms_names.h"
#include "service/app/character_class.h"

#include <cctype>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace hallmark::app {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// A field's constraint, ready to be applied.
struct FieldRule {
  const FieldDescriptor* field;
  std::string member;  // the KMS spelling with a lower-case first letter
  v1::Constraint constraint;
  std::optional<CharacterClass> pattern;
};

using Rules = std::vector<FieldRule>;

Rules Compile(const Descriptor& type) {
  Rules rules;
  for (int i = 0; i < type.field_count(); ++i) {
    FieldRule rule{type.field(i), type.field(i)->json_name(), {}, {}};
    rule.member[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(rule.member[0])));
    rule.constraint = rule.field->options().GetExtension(v1::constraint);
    if (!rule.constraint.pattern().empty()) rule.pattern.emplace(rule.constraint.pattern());
    rules.push_back(std::move(rule));
  }
  return rules;
}

// Compiled once per message type; types are few and live for ever.
const Rules& RulesFor(const Descriptor* type) {
  static Mutex mu;
  static std::unordered_map<const Descriptor*, std::unique_ptr<const Rules>> cache;
  thread_local std::unordered_map<const Descriptor*, const Rules*> known;
  const Rules*& rules = known[type];
  if (rules == nullptr) {
    MutexLock lock(mu);
    auto& entry = cache[type];
    if (entry == nullptr) entry = std::make_unique<const Rules>(Compile(*type));
    rules = entry.get();
  }
  return *rules;
}

// Collects violations; the texts are those of KMS.
class Violations {
 public:
  // Some tell what is wrong; thousands would only cost time and memory.
  static constexpr int kMost = 10;
  bool full() const { return count_ >= kMost; }

  void Add(const std::optional<std::string>& value, const std::string& path,
           const std::string& constraint) {
    if (full()) return;
    ++count_;
    if (!text_.empty()) text_ += "; ";
    text_ += value ? "Value '" + *value + "'" : "Value";
    text_ += " at '" + path + "' failed to satisfy constraint: " + constraint;
  }
  void AddNull(const std::string& path) {
    if (full()) return;
    ++count_;
    if (!text_.empty()) text_ += "; ";
    text_ += "Value null at '" + path + "' failed to satisfy constraint: Member must not be null";
  }

  Status Take() && {
    if (count_ == 0) return {};
    return Fail(Exception::kValidationException, std::to_string(count_) + " validation error" +
                                                     (count_ == 1 ? "" : "s") +
                                                     " detected: " + text_);
  }

 private:
  int count_ = 0;
  std::string text_;
};

void CheckLength(std::size_t length, std::optional<std::uint32_t> min,
                 std::optional<std::uint32_t> max, const std::optional<std::string>& value,
                 const std::string& path, Violations& violations) {
  if (min && length < *min) {
    violations.Add(value, path,
                   "Member must have length greater than or equal to " + std::to_string(*min));
  }
  if (max && length > *max) {
    violations.Add(value, path,
                   "Member must have length less than or equal to " + std::to_string(*max));
  }
}

std::optional<std::uint32_t> MinLength(const v1::Constraint& c) {
  return c.has_min_length() ? std::optional(c.min_length()) : std::nullopt;
}
std::optional<std::uint32_t> MaxLength(const v1::Constraint& c) {
  return c.has_max_length() ? std::optional(c.max_length()) : std::nullopt;
}

void CheckString(const FieldRule& rule, const std::string& text, const std::string& path,
                 Violations& violations) {
  const auto& c = rule.constraint;
  const bool bytes = rule.field->type() == FieldDescriptor::TYPE_BYTES;
  const bool shown = !bytes && !c.sensitive();
  const std::optional<std::string> value = shown ? std::optional(text) : std::nullopt;
  CheckLength(bytes ? text.size() : CodePoints(text), MinLength(c), MaxLength(c), value, path,
              violations);
  if (rule.pattern && !rule.pattern->MatchesAll(text)) {
    violations.Add(value, path, "Member must satisfy regular expression pattern: " + c.pattern());
  }
}

void CheckEnum(const Message& message, const FieldDescriptor& field, int number,
               const std::string& path, Violations& violations) {
  // Zero is "unspecified", which no list may hold.
  if (number != 0 && field.enum_type()->FindValueByNumber(number) != nullptr) return;
  const auto name = proto::UnknownName(message, field, number);
  violations.Add(name ? std::string(*name) : std::to_string(number), path,
                 "Member must satisfy enum value set: " + proto::KmsNames(*field.enum_type()));
}

void CheckNumber(const FieldRule& rule, std::int64_t number, const std::string& path,
                 Violations& violations) {
  const auto& c = rule.constraint;
  const std::string value = std::to_string(number);
  if (c.has_min_value() && number < c.min_value()) {
    violations.Add(
        value, path,
        "Member must have value greater than or equal to " + std::to_string(c.min_value()));
  }
  if (c.has_max_value() && number > c.max_value()) {
    violations.Add(value, path,
                   "Member must have value less than or equal to " + std::to_string(c.max_value()));
  }
}

void CheckMessage(const Message& message, const std::string& prefix, Violations& violations);

void CheckSingular(const FieldRule& rule, const Message& message, const std::string& path,
                   Violations& violations) {
  const Reflection& reflection = *message.GetReflection();
  const FieldDescriptor* field = rule.field;
  bool present = reflection.HasField(message, field);
  // An enum's zero is "unspecified": the same as absent.
  if (present && field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    present = reflection.GetEnumValue(message, field) != 0;
  }
  if (!present) {
    if (rule.constraint.required()) violations.AddNull(path);
    return;
  }
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      CheckString(rule, reflection.GetStringReference(message, field, &scratch), path, violations);
      break;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      CheckEnum(message, *field, reflection.GetEnumValue(message, field), path, violations);
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      CheckNumber(rule, reflection.GetInt32(message, field), path, violations);
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      CheckMessage(reflection.GetMessage(message, field), path + ".", violations);
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      break;
  }
}

void CheckRepeated(const FieldRule& rule, const Message& message, const std::string& path,
                   Violations& violations) {
  const Reflection& reflection = *message.GetReflection();
  const auto& c = rule.constraint;
  const int size = reflection.FieldSize(message, rule.field);
  if (size == 0 && !c.required()) return;
  // On the wire an empty list is an absent one; where the schema has a least length, that says
  // more.
  if (size == 0 && !c.has_min_length()) violations.AddNull(path);
  CheckLength(static_cast<std::size_t>(size), MinLength(c), MaxLength(c), std::nullopt, path,
              violations);
  for (int i = 0; i < size && !violations.full(); ++i) {
    const std::string item_path = path + "." + std::to_string(i + 1) + ".member";
    if (rule.field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      std::string scratch;
      const std::string& text =
          reflection.GetRepeatedStringReference(message, rule.field, i, &scratch);
      CheckLength(CodePoints(text),
                  c.has_item_min_length() ? std::optional(c.item_min_length()) : std::nullopt,
                  c.has_item_max_length() ? std::optional(c.item_max_length()) : std::nullopt,
                  c.sensitive() ? std::nullopt : std::optional(text), item_path, violations);
    } else if (rule.field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      CheckEnum(message, *rule.field, reflection.GetRepeatedEnumValue(message, rule.field, i),
                item_path, violations);
    } else if (rule.field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CheckMessage(reflection.GetRepeatedMessage(message, rule.field, i), item_path + ".",
                   violations);
    }
  }
}

void CheckMessage(const Message& message, const std::string& prefix, Violations& violations) {
  for (const FieldRule& rule : RulesFor(message.GetDescriptor())) {
    const std::string path = prefix + rule.member;
    if (rule.field->is_repeated()) {
      CheckRepeated(rule, message, path, violations);
    } else {
      CheckSingular(rule, message, path, violations);
    }
  }
}

}  // namespace

Status Validate(const Message& request) {
  Violations violations;
  CheckMessage(request, "", violations);
  return std::move(violations).Take();
}

}  // namespace hallmark::app
