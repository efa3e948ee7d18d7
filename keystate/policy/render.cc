#include "keystate/policy/render.h"

#include "keystate/policy/json.h"

#include <cstddef>

namespace hallmark {
namespace {

using Kind = JsonValue::Kind;

void AppendString(std::string_view text, std::string& out) {
  // Control characters cannot occur: the reader refuses them.
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void NewLine(std::size_t indent, std::string& out) {
  out += '\n';
  out.append(indent * 2, ' ');
}

// Recursive: kMaxPolicyDepth bounds the depth of every value.
void Append(const JsonValue& value, std::size_t indent, std::string& out) {
  switch (value.kind) {
    case Kind::kNull:
      out += "null";
      return;
    case Kind::kBool:
    case Kind::kNumber:
      out += value.text;
      return;
    case Kind::kString:
      AppendString(value.text, out);
      return;
    case Kind::kArray:
      out += '[';
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        out += i == 0 ? " " : ", ";
        Append(value.items[i], indent, out);
      }
      out += " ]";
      return;
    case Kind::kObject:
      out += '{';
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        if (i != 0) out += ',';
        NewLine(indent + 1, out);
        AppendString(value.names[i], out);
        out += " : ";
        Append(value.items[i], indent + 1, out);
      }
      if (value.items.empty()) {
        out += ' ';
      } else {
        NewLine(indent, out);
      }
      out += '}';
      return;
  }
}

JsonValue* FindMember(JsonValue& object, std::string_view name) {
  for (std::size_t i = 0; i < object.names.size(); ++i) {
    if (object.names[i] == name) return &object.items[i];
  }
  return nullptr;
}

template <class Visit>
void ForEachItem(JsonValue& value, Visit visit) {
  if (!value.is_array()) {
    visit(value);
    return;
  }
  for (JsonValue& item : value.items) visit(item);
}

}  // namespace

Result<std::string> RenderKeyPolicy(std::string_view document, const PolicyBindings& bindings,
                                    const CurrentArn& current_arn) {
  HALLMARK_ASSIGN_OR_RETURN(JsonValue json, ParsePolicyJson(document));
  const BindingIndex index = IndexOf(bindings);
  const auto show_current = [&](JsonValue& principal) {
    const auto bound = index.find(principal.text);
    if (bound == index.end()) return;
    principal.text = current_arn(bound->second).value_or(std::string(bound->second));
  };
  if (JsonValue* statements = FindMember(json, "Statement")) {
    ForEachItem(*statements, [&](JsonValue& statement) {
      for (const char* name : {"Principal", "NotPrincipal"}) {
        JsonValue* element = FindMember(statement, name);
        JsonValue* aws = element == nullptr ? nullptr : FindMember(*element, "AWS");
        if (aws != nullptr) ForEachItem(*aws, show_current);
      }
    });
  }
  std::string text;
  Append(json, 0, text);
  return text;
}

std::string DefaultKeyPolicy(const Site& site, const AccountId& account) {
  return R"({"Version":"2012-10-17","Id":"key-default-1","Statement":[{)"
         R"("Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:)" +
         site.partition + ":iam::" + std::string(account.text()) +
         R"(:root"},"Action":"kms:*","Resource":"*"}]})";
}

}  // namespace hallmark
