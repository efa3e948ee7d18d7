#include "keystate/policy.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace hallmark {
namespace {

using Json = nlohmann::ordered_json;

// The grammar needs four levels.
constexpr int kMaxDepth = 16;

Unexpected<Error> Malformed(const std::string& place, const std::string& reason) {
  return Fail(Exception::kMalformedPolicyDocumentException, place + ": " + reason);
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Result<Json> ParseStrictly(std::string_view text) {
  std::vector<std::set<std::string>> members;
  std::string duplicate;
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) too_deep = true;
    if (event == Json::parse_event_t::object_start) members.emplace_back();
    if (event == Json::parse_event_t::object_end) members.pop_back();
    if (event == Json::parse_event_t::key &&
        !members.back().insert(parsed.get<std::string>()).second) {
      duplicate = parsed.get<std::string>();
    }
    return true;
  };
  Json document = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (too_deep) return Malformed("policy", "it is nested more than 16 levels deep");
  if (document.is_discarded()) return Malformed("policy", "it is not valid JSON");
  if (!duplicate.empty()) return Malformed("policy", "the member '" + duplicate + "' occurs twice");
  return document;
}

Result<std::vector<Pattern>> ParsePatterns(const Json& value, const std::string& place,
                                           Pattern::Case letter_case) {
  std::vector<Pattern> patterns;
  bool has_variable = false;
  const auto add = [&](const Json& item) {
    if (!item.is_string() || item.get_ref<const std::string&>().empty()) return false;
    has_variable |= item.get_ref<const std::string&>().find("${") != std::string::npos;
    patterns.emplace_back(item.get<std::string>(), letter_case);
    return true;
  };
  const bool valid = value.is_array()
                         ? !value.empty() && std::all_of(value.begin(), value.end(), add)
                         : add(value);
  if (!valid) return Malformed(place, "expected a string or a list of strings, none of them empty");
  if (has_variable) return Malformed(place, "policy variables are not supported");
  return patterns;
}

Result<Statement> ParseStatement(const Json& json, std::size_t number) {
  const std::string place = "statement " + std::to_string(number);
  if (!json.is_object()) return Malformed(place, "expected an object");
  Statement statement{place, Effect::kDeny, {}, {}};
  for (const auto& [name, value] : json.items()) {
    if (name == "Sid") {
      if (!value.is_string()) return Malformed(place + ", Sid", "expected a string");
      if (!value.get_ref<const std::string&>().empty()) statement.id = value.get<std::string>();
    } else if (name == "Effect") {
      if (value != "Allow" && value != "Deny") {
        return Malformed(place + ", Effect", "expected \"Allow\" or \"Deny\"");
      }
      statement.effect = value == "Allow" ? Effect::kAllow : Effect::kDeny;
    } else if (name == "Action") {
      HALLMARK_ASSIGN_OR_RETURN(
          statement.actions, ParsePatterns(value, place + ", Action", Pattern::Case::kInsensitive));
    } else if (name == "Resource") {
      HALLMARK_ASSIGN_OR_RETURN(statement.resources, ParsePatterns(value, place + ", Resource",
                                                                   Pattern::Case::kSensitive));
    } else {
      return Malformed(place, "the element '" + name + "' is not supported");
    }
  }
  for (const char* required : {"Effect", "Action", "Resource"}) {
    if (!json.contains(required)) {
      return Malformed(place, std::string("the element '") + required + "' is missing");
    }
  }
  return statement;
}

}  // namespace

Pattern::Pattern(std::string pattern, Case letter_case)
    : pattern_(std::move(pattern)), case_(letter_case) {
  if (case_ == Case::kInsensitive) {
    std::transform(pattern_.begin(), pattern_.end(), pattern_.begin(), Lower);
  }
}

bool Pattern::Matches(std::string_view text) const {
  const auto same = [this](char in_text, char in_pattern) {
    return in_pattern == '?' ||
           (case_ == Case::kInsensitive ? Lower(in_text) : in_text) == in_pattern;
  };
  // On a mismatch only the last * is tried again, one character further: no exponential search.
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t star = std::string::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern_.size() && pattern_[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern_.size() && same(text[t], pattern_[p])) {
      ++t;
      ++p;
    } else if (star != std::string::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern_.size() && pattern_[p] == '*') ++p;
  return p == pattern_.size();
}

Result<IdentityPolicy> IdentityPolicy::Parse(std::string_view json) {
  if (json.size() > kMaxBytes) {
    return Malformed("policy", "it is " + std::to_string(json.size()) + " bytes long, at most " +
                                   std::to_string(kMaxBytes) + " are allowed");
  }
  HALLMARK_ASSIGN_OR_RETURN(const Json document, ParseStrictly(json));
  if (!document.is_object()) return Malformed("policy", "expected a JSON object");
  for (const auto& [name, value] : document.items()) {
    if (name == "Version") {
      if (value != "2012-10-17" && value != "2008-10-17") {
        return Malformed("Version", "expected \"2012-10-17\"");
      }
    } else if (name == "Id") {
      if (!value.is_string()) return Malformed("Id", "expected a string");
    } else if (name != "Statement") {
      return Malformed("policy", "the element '" + name + "' is not supported");
    }
  }
  if (!document.contains("Version")) return Malformed("policy", "the element 'Version' is missing");
  if (!document.contains("Statement")) {
    return Malformed("policy", "the element 'Statement' is missing");
  }
  const Json& list = document["Statement"];
  std::vector<Statement> statements;
  if (list.is_array()) {
    if (list.empty()) return Malformed("Statement", "at least one statement is needed");
    for (const Json& item : list) {
      HALLMARK_ASSIGN_OR_RETURN(Statement statement, ParseStatement(item, statements.size() + 1));
      statements.push_back(std::move(statement));
    }
  } else {
    HALLMARK_ASSIGN_OR_RETURN(Statement statement, ParseStatement(list, 1));
    statements.push_back(std::move(statement));
  }
  return IdentityPolicy(std::move(statements));
}

}  // namespace hallmark
