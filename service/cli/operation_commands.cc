#include "service/cli/operation_commands.h"

#include "hallmark/v1/options.pb.h"
#include "proto/comments.h"
#include "proto/kms_names.h"
#include "service/cli/checksums.h"
#include "service/cli/examples.h"
#include "service/cli/names.h"
#include "service/cli/request_builder.h"

#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;

struct Flag {
  const FieldDescriptor* field;
  CLI::Option* option;
};

std::unique_ptr<Message> NewMessage(const Descriptor& type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(&type)->New());
}

std::string UnitOf(const FieldDescriptor& field) {
  if (field.is_repeated()) return "items";
  return field.type() == FieldDescriptor::TYPE_BYTES ? "bytes" : "characters";
}

std::string Range(const std::string& low, const std::string& high, const std::string& unit) {
  if (low.empty()) return "at most " + high + " " + unit;
  if (high.empty()) return "at least " + low + " " + unit;
  return low + " to " + high + (unit.empty() ? "" : " " + unit);
}

// "1 to 4096 bytes; base64, or fileb://PATH"
std::string Limits(const FieldDescriptor& field) {
  const v1::Constraint& limits = field.options().GetExtension(v1::constraint);
  std::vector<std::string> parts;
  if (limits.has_min_length() || limits.has_max_length()) {
    parts.push_back(
        Range(limits.has_min_length() ? std::to_string(limits.min_length()) : std::string(),
              limits.has_max_length() ? std::to_string(limits.max_length()) : std::string(),
              UnitOf(field)));
  }
  if (limits.has_min_value() && limits.has_max_value()) {
    parts.push_back(
        Range(std::to_string(limits.min_value()), std::to_string(limits.max_value()), {}));
  }
  if (field.type() == FieldDescriptor::TYPE_BYTES) parts.emplace_back("base64, or fileb://PATH");
  if (field.type() == FieldDescriptor::TYPE_ENUM)
    parts.push_back(proto::KmsNames(*field.enum_type()));
  if (IsExtension(field)) parts.emplace_back("not in KMS");
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

// What the field is for, in the words of the schema, then its limits.
std::string Help(const FieldDescriptor& field) {
  std::string text = proto::CommentOf(field);
  const std::string limits = Limits(field);
  if (!text.empty() && !limits.empty()) text += "\n";
  return text + limits;
}

// The heading under which `hallmark --help` lists an operation.
std::string GroupOf(std::string_view operation) {
  struct Row {
    std::string_view part;
    const char* group;
  };
  constexpr std::array kRows{
      Row{"Mac", "MACs"},
      Row{"Alias", "Aliases"},
      Row{"Tag", "Tags"},
      Row{"Untag", "Tags"},
      Row{"ResourceTag", "Tags"},
      Row{"Grant", "Grants"},
      Row{"Polic", "Key policies"},
      Row{"Import", "Import"},
      Row{"Rotat", "Rotation"},
      Row{"Random", "Random bytes"},
      Row{"Explain", "Permissions"},
  };
  for (const Row& row : kRows) {
    if (operation.find(row.part) != std::string_view::npos) return row.group;
  }
  return "Keys";
}

std::vector<std::string> NamesOf(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    // An enum's zero means that it is not given.
    if (type.value(i)->number() != 0) names.emplace_back(proto::KmsName(*type.value(i)));
  }
  return names;
}

std::string TypeName(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? kBlobType : "TEXT";
    case FieldDescriptor::CPPTYPE_ENUM:
      return "NAME";
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      std::string members;
      const Descriptor& type = *field.message_type();
      if (IsPair(type)) return "KEY=VALUE";
      for (int i = 0; i < type.field_count(); ++i) {
        members += (i == 0 ? "" : ",") + Spelling(*type.field(i)) + "=TEXT";
      }
      return members;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      break;
  }
  return "NUMBER";
}

Flag AddFlag(CLI::App& verb, const FieldDescriptor& field, Commands& commands) {
  const std::string name = FlagName(field);
  const std::string help = Help(field);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL && !field.is_repeated()) {
    return {&field, verb.add_flag(name + ",!--no-" + name.substr(2), help)};
  }
  CLI::Option* option = verb.add_option(name, help);
  option->type_name(TypeName(field));
  if (field.type() == FieldDescriptor::TYPE_ENUM) {
    commands.choices[option] = NamesOf(*field.enum_type());
  }
  if (field.is_repeated()) {
    option->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
  } else {
    option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  if (field.options().GetExtension(v1::constraint).required()) option->required();
  return {&field, option};
}

}  // namespace

BuildRequest AddRequestFlags(CLI::App& verb, const Descriptor& request, Commands& commands) {
  std::vector<Flag> flags;
  flags.reserve(static_cast<std::size_t>(request.field_count()));
  for (int i = 0; i < request.field_count(); ++i) {
    flags.push_back(AddFlag(verb, *request.field(i), commands));
  }
  return [flags](Message* message) -> Result<void, UsageError> {
    for (const Flag& flag : flags) {
      if (flag.option->count() == 0) continue;
      std::vector<std::string> words = flag.option->results();
      // Given twice, the last one counts, as in the AWS CLI.
      if (!flag.field->is_repeated()) words.erase(words.begin(), words.end() - 1);
      HALLMARK_RETURN_IF_ERROR(SetField(*flag.field, words, message));
    }
    return {};
  };
}

void AddOperationCommands(CLI::App& root, const google::protobuf::ServiceDescriptor& service,
                          const RunOperation& run, Commands& commands) {
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    std::string description = proto::CommentOf(method);
    if (method.options().GetExtension(v1::own)) description += " Not in KMS.";
    CLI::App* verb = root.add_subcommand(KebabCase(method.name()), description);
    verb->group(GroupOf(method.name()))->fallthrough()->footer(ExampleOf(verb->get_name()));
    const BuildRequest build = AddRequestFlags(*verb, *method.input_type(), commands);
    commands.list.push_back({verb, [&method, build, run] {
                               const auto request = NewMessage(*method.input_type());
                               if (const auto built = build(request.get()); !built) {
                                 std::cerr << "hallmark: error: " << built.error().message << '\n';
                                 return ExitCode::kUsage;
                               }
                               AddChecksums(request.get());
                               const auto answer = NewMessage(*method.output_type());
                               return run(method, *request, answer.get());
                             }});
  }
}

}  // namespace hallmark::cli
