#include "tests/contract/aws_json.h"

#include "keystate/bytes.h"
#include "proto/kms_names.h"
#include "tests/contract/kms_json.h"

#include <google/protobuf/timestamp.pb.h>
#include <openssl/evp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::json;

const unsigned char* Unsigned(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string Base64(const std::string& bytes) {
  std::vector<unsigned char> text(4 * ((bytes.size() + 2) / 3) + 1);
  const int length = EVP_EncodeBlock(text.data(), Unsigned(bytes), static_cast<int>(bytes.size()));
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(length)};
}

// OpenSSL is lenient; what is right is what encodes to the same text.
std::optional<std::string> FromBase64(const std::string& text) {
  std::vector<unsigned char> bytes(text.size() + 1);
  const int length = EVP_DecodeBlock(bytes.data(), Unsigned(text), static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  std::string decoded(reinterpret_cast<const char*>(bytes.data()),
                      static_cast<std::size_t>(length));
  for (std::size_t i = text.size(); i > 0 && text[i - 1] == '=' && !decoded.empty(); --i) {
    decoded.pop_back();
  }
  if (Base64(decoded) != text) return std::nullopt;
  return decoded;
}

const FieldDescriptor* FindMember(const Descriptor& type, const std::string& name) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (field->number() < 100 && field->json_name() == name) return field;
  }
  return nullptr;
}

json OneToAws(const json& value, const FieldDescriptor& field) {
  if (field.type() == FieldDescriptor::TYPE_BYTES) {
    return Base64(BytesFrom(value.get<std::string>()));
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return value.is_object() ? value.dump() : value.get<std::string>();
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    if (!value.is_string()) throw CaseError("an enum is a text over HTTP: " + value.dump());
    return value;
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return ToAwsJson(value, *field.message_type());
  }
  return value;
}

json OneFromAws(const json& value, const FieldDescriptor& field, const std::string& path) {
  const auto check = [&](bool right, const char* want) {
    if (!right) throw NotAnAnswer(path + " is no " + want + ": " + value.dump().substr(0, 80));
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      check(value.is_string(), "string");
      if (field.type() != FieldDescriptor::TYPE_BYTES) return value;
      const auto bytes = FromBase64(value.get<std::string>());
      check(bytes.has_value(), "base64");
      return "hex:" + ToHex(AsBytes(*bytes));
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      check(value.is_string() &&
                proto::FindByKmsName(*field.enum_type(), value.get<std::string>()) != nullptr,
            field.enum_type()->name().c_str());
      return value;
    case FieldDescriptor::CPPTYPE_BOOL:
      check(value.is_boolean(), "boolean");
      return value;
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      check(value.is_number_integer(), "integer");
      return value;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (field.message_type() == google::protobuf::Timestamp::descriptor()) {
        check(value.is_number(), "number of seconds");
        return value.get<double>();
      }
      check(value.is_object(), "object");
      return FromAwsJson(value, *field.message_type());
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      break;
  }
  throw NotAnAnswer(path + " has a type that no answer has");
}

}  // namespace

json ToAwsJson(const json& values, const Descriptor& type) {
  json body = json::object();
  for (const auto& [name, value] : values.items()) {
    const FieldDescriptor* field = FindMember(type, name);
    if (field == nullptr) throw CaseError("no such member over HTTP: " + name);
    if (field->is_map()) {
      body[name] = value;
    } else if (field->is_repeated()) {
      body[name] = json::array();
      for (const json& item : value) body[name].push_back(OneToAws(item, *field));
    } else {
      body[name] = OneToAws(value, *field);
    }
  }
  return body;
}

json FromAwsJson(const json& values, const Descriptor& type) {
  json result = json::object();
  for (const auto& [name, value] : values.items()) {
    const FieldDescriptor* field = FindMember(type, name);
    if (field == nullptr) throw NotAnAnswer("no member of " + type.name() + ": " + name);
    if (field->is_map()) throw NotAnAnswer("no answer has any map: " + name);
    if (!field->is_repeated()) {
      result[name] = OneFromAws(value, *field, name);
      continue;
    }
    if (!value.is_array()) throw NotAnAnswer(name + " is no list");
    result[name] = json::array();
    for (const json& item : value) result[name].push_back(OneFromAws(item, *field, name));
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    const bool listed = field->is_repeated() && !field->is_map() && field->number() < 100;
    if (listed && !result.contains(field->json_name())) {
      throw NotAnAnswer("a list is left out: " + field->json_name());
    }
  }
  return result;
}

}  // namespace hallmark::testing
