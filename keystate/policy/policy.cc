#include "keystate/policy/policy.h"

#include "keystate/policy/json.h"
#include "keystate/policy/malformed.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

namespace hallmark {
namespace {

// What the parsers of a statement's elements share.
struct Grammar {
  PolicyKind kind;
  bool variables;
  const BindingIndex& bindings;
};

Result<std::vector<std::string_view>> Texts(const JsonValue& value, const std::string& place) {
  const auto refuse = [&] {
    return MalformedPolicy(place, "expected a string or a list of strings, none of them empty");
  };
  std::vector<std::string_view> texts;
  const auto add = [&](const JsonValue& item) {
    texts.emplace_back(item.text);
    return item.is_string() && !item.text.empty();
  };
  if (value.is_array()) {
    if (value.items.empty() || !std::all_of(value.items.begin(), value.items.end(), add)) {
      return refuse();
    }
  } else if (!add(value)) {
    return refuse();
  }
  return texts;
}

// "kms:Generate*", stars alone, or the other spelling of everything.
bool IsAction(std::string_view text) {
  if (text.find_first_not_of('*') == std::string_view::npos || text == "*:*") return true;
  const auto in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '*' || c == '?';
  };
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  const std::string_view service = text.substr(0, colon);
  const std::string_view name = text.substr(colon + 1);
  return std::all_of(service.begin(), service.end(), in_name) &&
         service.find_first_of("*?") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), in_name);
}

constexpr std::array kOperations = {
#define HALLMARK_OPERATION(name) Operation::k##name,
#include "keystate/operations.def"
#undef HALLMARK_OPERATION
};

Status ParseActions(const JsonValue& value, const std::string& place, bool negated,
                    Statement& statement) {
  HALLMARK_ASSIGN_OR_RETURN(const std::vector<std::string_view> texts, Texts(value, place));
  for (const std::string_view text : texts) {
    if (!IsAction(text)) {
      return MalformedPolicy(place, Quoted(text) + " is not \"<service>:<action>\" or \"*\"");
    }
    const Pattern pattern(text, LetterCase::kInsensitive);
    for (const Operation operation : kOperations) {
      if (pattern.Matches(PolicyAction(operation))) statement.operations.Add(operation);
    }
  }
  if (negated) statement.operations = statement.operations.Complement();
  statement.has_action = true;
  return {};
}

Status ParseResources(const JsonValue& value, const std::string& place, bool variables,
                      Statement& statement) {
  HALLMARK_ASSIGN_OR_RETURN(const std::vector<std::string_view> texts, Texts(value, place));
  for (const std::string_view text : texts) {
    if (!text.starts_with('*') && !text.starts_with("arn:")) {
      return MalformedPolicy(place, Quoted(text) + " is neither an ARN nor \"*\"");
    }
    std::string reason;
    auto resource = TextTemplate::Parse(text, {true, variables}, reason);
    if (!resource) return MalformedPolicy(place, reason);
    statement.resources.push_back(*std::move(resource));
  }
  statement.has_resource = true;
  return {};
}

Status ParseElement(const std::string& name, const JsonValue& value, const std::string& place,
                    const Grammar& grammar, Statement& statement) {
  const std::string element_place = place + ", " + name;
  if (name == "Sid") {
    if (!value.is_string()) return MalformedPolicy(element_place, "expected a string");
    if (!value.text.empty()) statement.id = value.text;
    return {};
  }
  if (name == "Effect") {
    if (!value.is_string() || (value.text != "Allow" && value.text != "Deny")) {
      return MalformedPolicy(element_place, "expected \"Allow\" or \"Deny\"");
    }
    statement.effect = value.text == "Allow" ? Effect::kAllow : Effect::kDeny;
    return {};
  }
  if (name == "Principal" || name == "NotPrincipal") {
    if (grammar.kind == PolicyKind::kIdentity) {
      return MalformedPolicy(place, "a policy of a principal has no " + name);
    }
    HALLMARK_ASSIGN_OR_RETURN(statement.principals,
                              PrincipalSet::Parse(value, element_place, grammar.bindings));
    statement.not_principal = name == "NotPrincipal";
    return {};
  }
  if (name == "Action" || name == "NotAction") {
    return ParseActions(value, element_place, name == "NotAction", statement);
  }
  if (name == "Resource" || name == "NotResource") {
    statement.not_resource = name == "NotResource";
    return ParseResources(value, element_place, grammar.variables, statement);
  }
  if (name == "Condition") {
    HALLMARK_ASSIGN_OR_RETURN(statement.conditions,
                              Condition::ParseAll(value, element_place, grammar.variables));
    return {};
  }
  return MalformedPolicy(place, "the element " + Quoted(name) + " does not exist");
}

const JsonValue* FindMember(const JsonValue& object, std::string_view name) {
  const auto found = std::find(object.names.begin(), object.names.end(), name);
  return found == object.names.end()
             ? nullptr
             : &object.items[static_cast<std::size_t>(found - object.names.begin())];
}

// Of an element and its opposite there is one at most; where the grammar needs it, one at least.
Status CheckPair(const JsonValue& json, const std::string& place, const std::string& name,
                 bool needed) {
  const bool plain = FindMember(json, name) != nullptr;
  const bool negated = FindMember(json, "Not" + name) != nullptr;
  if (plain && negated) {
    return MalformedPolicy(place, name + " and Not" + name + " exclude each other");
  }
  if (needed && !plain && !negated) {
    return MalformedPolicy(place, "the element '" + name + "' is missing");
  }
  return {};
}

Result<Statement> ParseStatement(const JsonValue& json, std::size_t number,
                                 const Grammar& grammar) {
  const std::string place = "statement " + std::to_string(number);
  if (!json.is_object()) return MalformedPolicy(place, "expected an object");
  if (FindMember(json, "Effect") == nullptr) {
    return MalformedPolicy(place, "the element 'Effect' is missing");
  }
  const bool of_principal = grammar.kind == PolicyKind::kIdentity;
  HALLMARK_RETURN_IF_ERROR(CheckPair(json, place, "Principal", !of_principal));
  HALLMARK_RETURN_IF_ERROR(CheckPair(json, place, "Action", of_principal));
  HALLMARK_RETURN_IF_ERROR(CheckPair(json, place, "Resource", of_principal));
  Statement statement{place};
  for (std::size_t i = 0; i < json.items.size(); ++i) {
    HALLMARK_RETURN_IF_ERROR(ParseElement(json.names[i], json.items[i], place, grammar, statement));
  }
  return statement;
}

Status CheckHeader(const JsonValue& document) {
  if (!document.is_object()) return MalformedPolicy("policy", "expected a JSON object");
  for (std::size_t i = 0; i < document.items.size(); ++i) {
    const std::string& name = document.names[i];
    const JsonValue& value = document.items[i];
    if (name == "Version") {
      if (!value.is_string() || (value.text != "2012-10-17" && value.text != "2008-10-17")) {
        return MalformedPolicy("Version", "expected \"2012-10-17\"");
      }
    } else if (name == "Id") {
      if (!value.is_string()) return MalformedPolicy("Id", "expected a string");
    } else if (name != "Statement") {
      return MalformedPolicy("policy", "the element " + Quoted(name) + " does not exist");
    }
  }
  for (const char* needed : {"Version", "Statement"}) {
    if (FindMember(document, needed) == nullptr) {
      return MalformedPolicy("policy", "the element '" + std::string(needed) + "' is missing");
    }
  }
  return {};
}

Status CheckSize(std::string_view document, PolicyKind kind) {
  if (document.size() <= Policy::kMaxBytes) return {};
  const std::string reason = "it is " + std::to_string(document.size()) + " bytes long, at most " +
                             std::to_string(Policy::kMaxBytes) + " are allowed";
  // The size of a key policy is a quota of KMS.
  if (kind == PolicyKind::kKey) {
    return Fail(Exception::kLimitExceededException, "policy: " + reason);
  }
  return MalformedPolicy("policy", reason);
}

// The document, its header checked.
Result<JsonValue> ReadDocument(std::string_view text, PolicyKind kind) {
  HALLMARK_RETURN_IF_ERROR(CheckSize(text, kind));
  HALLMARK_ASSIGN_OR_RETURN(JsonValue document, ParsePolicyJson(text));
  HALLMARK_RETURN_IF_ERROR(CheckHeader(document));
  return document;
}

// Statement is a list or one statement.
std::vector<const JsonValue*> StatementsOf(const JsonValue& document) {
  const JsonValue& element = *FindMember(document, "Statement");
  if (!element.is_array()) return {&element};
  std::vector<const JsonValue*> statements;
  for (const JsonValue& item : element.items) statements.push_back(&item);
  return statements;
}

bool IsOfPartition(std::string_view arn, std::string_view partition) {
  return !arn.starts_with("arn:") || arn.starts_with("arn:" + std::string(partition) + ":");
}

}  // namespace

Result<Policy> Policy::Parse(std::string_view document, PolicyKind kind,
                             const PolicyBindings& bindings) {
  HALLMARK_ASSIGN_OR_RETURN(const JsonValue json, ReadDocument(document, kind));
  const BindingIndex index = IndexOf(bindings);
  const Grammar grammar{kind, FindMember(json, "Version")->text == "2012-10-17", index};
  std::vector<Statement> statements;
  std::set<std::string> ids;
  for (const JsonValue* item : StatementsOf(json)) {
    HALLMARK_ASSIGN_OR_RETURN(Statement statement,
                              ParseStatement(*item, statements.size() + 1, grammar));
    if (kind == PolicyKind::kIdentity && !ids.insert(statement.id).second) {
      return MalformedPolicy("statement " + std::to_string(statements.size() + 1) + ", Sid",
                             Quoted(statement.id) + " names another statement already");
    }
    statements.push_back(std::move(statement));
  }
  if (statements.empty()) return MalformedPolicy("Statement", "at least one statement is needed");
  return Policy(kind, std::move(statements));
}

Result<PolicyBindings> BindPrincipals(std::string_view document, const Site& site,
                                      const PrincipalResolver& resolve) {
  HALLMARK_ASSIGN_OR_RETURN(const JsonValue json, ReadDocument(document, PolicyKind::kKey));
  PolicyBindings bindings;
  std::set<std::string, std::less<>> seen;
  const auto bind = [&](std::string_view text) -> Status {
    if (!IsOfPartition(text, site.partition)) return InvalidPrincipals();
    if (ReadPrincipal(text).form != PrincipalForm::kBound || seen.contains(text)) return {};
    std::optional<std::string> unique_id = resolve(text);
    if (!unique_id) return InvalidPrincipals();
    seen.emplace(text);
    bindings.push_back({std::string(text), *std::move(unique_id)});
    return {};
  };
  std::size_t number = 0;
  for (const JsonValue* statement : StatementsOf(json)) {
    ++number;
    for (const char* name : {"Principal", "NotPrincipal"}) {
      const JsonValue* element = FindMember(*statement, name);
      if (element == nullptr) continue;
      HALLMARK_RETURN_IF_ERROR(
          ForEachAwsPrincipal(*element, "statement " + std::to_string(number) + ", " + name, bind));
    }
  }
  // The whole document, before anything of it is stored.
  HALLMARK_RETURN_IF_ERROR(Policy::Parse(document, PolicyKind::kKey, bindings));
  return bindings;
}

}  // namespace hallmark
