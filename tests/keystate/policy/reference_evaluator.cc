#include "tests/keystate/policy/reference_evaluator.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <functional>
#include <set>

namespace hallmark::testing {
namespace {

using Json = ReferenceJson;

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::vector<std::string> List(const Json& value) {
  std::vector<std::string> texts;
  for (const Json& item : value.is_array() ? value : Json::array({value})) {
    texts.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  }
  return texts;
}

// A character of a pattern: itself, any one, or any run.
struct Glyph {
  enum { kSelf, kOne, kRun } kind;
  char self;
};
using Glyphs = std::vector<Glyph>;

// By the definition; exponential, for short texts.
bool Like(const Glyphs& pattern, std::size_t p, const std::string& text, std::size_t t) {
  if (p == pattern.size()) return t == text.size();
  if (pattern[p].kind == Glyph::kRun) {
    return Like(pattern, p + 1, text, t) || (t < text.size() && Like(pattern, p, text, t + 1));
  }
  if (t == text.size()) return false;
  if (pattern[p].kind == Glyph::kSelf && pattern[p].self != text[t]) return false;
  return Like(pattern, p + 1, text, t + 1);
}

// The pattern with its variables replaced; nothing if one has no value.
std::optional<Glyphs> Read(const std::string& text, bool wildcards,
                           const ReferenceRequest& request) {
  Glyphs glyphs;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "${") == 0) {
      const std::size_t end = text.find('}', i);
      const std::string name = text.substr(i + 2, end - i - 2);
      i = end;
      std::string value = name;
      if (name != "*" && name != "?" && name != "$") {
        const auto found = request.values.find(Lower(name));
        if (found == request.values.end() || found->second.size() != 1) return std::nullopt;
        value = found->second.front();
      }
      for (const char c : value) glyphs.push_back({Glyph::kSelf, c});
    } else if (wildcards && text[i] == '*') {
      glyphs.push_back({Glyph::kRun, 0});
    } else if (wildcards && text[i] == '?') {
      glyphs.push_back({Glyph::kOne, 0});
    } else {
      glyphs.push_back({Glyph::kSelf, text[i]});
    }
  }
  return glyphs;
}

bool StartsWith(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

// Yes, no, or nothing: a variable has no value.
using Verdict = std::optional<bool>;

// One value of the request against one of the policy, without the negation of the operator.
bool Compare(const std::string& op, const std::string& requested, const std::string& listed,
             const ReferenceRequest& request) {
  if (op == "StringEquals" || op == "StringNotEquals") {
    return Like(*Read(listed, false, request), 0, requested, 0);
  }
  if (op == "StringLike" || op == "StringNotLike") {
    return Like(*Read(listed, true, request), 0, requested, 0);
  }
  if (op == "StringEqualsIgnoreCase" || op == "StringNotEqualsIgnoreCase") {
    Glyphs glyphs = *Read(listed, false, request);
    for (Glyph& glyph : glyphs) glyph.self = Lower(std::string(1, glyph.self))[0];
    return Like(glyphs, 0, Lower(requested), 0);
  }
  if (op == "Bool") return Lower(requested) == Lower(listed);
  char* end = nullptr;
  const double number = std::strtod(requested.c_str(), &end);
  if (requested.empty() || *end != '\0') return false;
  const double limit = std::strtod(listed.c_str(), nullptr);
  if (op == "NumericEquals" || op == "NumericNotEquals") return number == limit;
  if (op == "NumericLessThan") return number < limit;
  if (op == "NumericLessThanEquals") return number <= limit;
  if (op == "NumericGreaterThan") return number > limit;
  return number >= limit;
}

Verdict Condition(std::string op, const std::string& key, const Json& json,
                  const ReferenceRequest& request) {
  enum { kPlain, kAny, kAll } set = kPlain;
  if (StartsWith(op, "ForAnyValue:")) {
    set = kAny;
    op = op.substr(12);
  } else if (StartsWith(op, "ForAllValues:")) {
    set = kAll;
    op = op.substr(13);
  }
  const std::size_t suffix = op.find("IfExists");
  const bool if_exists = suffix != std::string::npos;
  op = op.substr(0, suffix);
  const bool negated = op.find("Not") != std::string::npos;
  const auto found = request.values.find(Lower(key));
  const bool present = found != request.values.end() && !found->second.empty();
  const std::vector<std::string> listed = List(json);
  if (op == "Null") {
    for (const std::string& want : listed) {
      if ((Lower(want) == "true") != present) return true;
    }
    return false;
  }
  if (StartsWith(op, "String")) {
    for (const std::string& text : listed) {
      if (!Read(text, true, request)) return std::nullopt;
    }
  }
  if (!present) return if_exists || set == kAll || (set == kPlain && negated);
  std::vector<bool> passes;
  for (const std::string& requested : found->second) {
    bool any = false;
    for (const std::string& one : listed) any = any || Compare(op, requested, one, request);
    passes.push_back(negated ? !any : any);
  }
  const bool every = set == kAll || (set == kPlain && negated);
  return every ? std::count(passes.begin(), passes.end(), false) == 0
               : std::count(passes.begin(), passes.end(), true) > 0;
}

bool NamesAction(const Json& actions, const std::string& action) {
  for (const std::string& text : List(actions)) {
    Glyphs glyphs;
    for (const char c : Lower(text)) {
      glyphs.push_back({c == '*' ? Glyph::kRun : c == '?' ? Glyph::kOne : Glyph::kSelf, c});
    }
    if (Like(glyphs, 0, Lower(action), 0)) return true;
  }
  return false;
}

bool MatchesRest(const Json& statement, const ReferenceRequest& request) {
  const bool has_action = statement.contains("Action") || statement.contains("NotAction");
  const bool has_resource = statement.contains("Resource") || statement.contains("NotResource");
  if (!has_action || !has_resource) return false;
  if (statement.contains("Action") ? !NamesAction(statement["Action"], request.action)
                                   : NamesAction(statement["NotAction"], request.action)) {
    return false;
  }
  const bool plain = statement.contains("Resource");
  bool named = false;
  for (const std::string& text : List(statement[plain ? "Resource" : "NotResource"])) {
    const auto glyphs = Read(text, true, request);
    if (!glyphs) return false;
    named = named || Like(*glyphs, 0, request.resource_arn, 0);
  }
  if (named != plain) return false;
  if (!statement.contains("Condition")) return true;
  for (const auto& [op, keys] : statement["Condition"].items()) {
    for (const auto& [key, values] : keys.items()) {
      if (Condition(op, key, values, request) != Verdict(true)) return false;
    }
  }
  return true;
}

// "self", "role", "everyone", "account", or "" when the statement does not mean the caller.
std::string How(const Json& statement, const ReferenceRequest& request) {
  const bool negated = statement.contains("NotPrincipal");
  const Json& element = statement[negated ? "NotPrincipal" : "Principal"];
  std::vector<std::string> names;
  if (element.is_string()) {
    names = {"*"};
  } else if (element.contains("AWS")) {
    names = List(element["AWS"]);
  }
  const auto listed = [&](const std::string& name) {
    return !name.empty() && std::find(names.begin(), names.end(), name) != names.end();
  };
  const bool account =
      listed(request.caller_account) || listed("arn:aws:iam::" + request.caller_account + ":root");
  std::string how;
  const bool is_role = request.arn == request.role_arn;
  if ((listed(request.arn) && !is_role) || (account && request.root)) {
    how = "self";
  } else if (listed(request.role_arn)) {
    how = "role";
  } else if (listed("*")) {
    how = "everyone";
  } else if (account) {
    how = "account";
  }
  if (!negated) return how;
  if (how.empty()) return "everyone";
  return how == "account" && statement["Effect"] == "Deny" ? "everyone" : "";
}

struct Said {
  bool present = false;
  std::string deny;
  std::string allow;
};

std::string IdOf(const Json& policy, std::size_t index) {
  const Json& statement = policy["Statement"][index];
  return statement.value("Sid", "statement " + std::to_string(index + 1));
}

Said Ask(const Json& policy, const ReferenceRequest& request) {
  Said said;
  if (policy.is_null()) return said;
  said.present = true;
  for (std::size_t i = 0; i < policy["Statement"].size(); ++i) {
    const Json& statement = policy["Statement"][i];
    if (!MatchesRest(statement, request)) continue;
    std::string& slot = statement["Effect"] == "Deny" ? said.deny : said.allow;
    if (slot.empty()) slot = IdOf(policy, i);
  }
  return said;
}

}  // namespace

std::string ReferenceDecide(const ReferenceRequest& request) {
  const std::set<std::string> iam_only{"kms:CreateKey",      "kms:ListKeys",
                                       "kms:ListAliases",    "kms:ListRetirableGrants",
                                       "kms:GenerateRandom", "hallmark:Explain"};
  const std::set<std::string> across{
      "kms:GenerateMac", "kms:VerifyMac",   "kms:CreateGrant", "kms:DescribeKey",
      "kms:ListGrants",  "kms:RetireGrant", "kms:RevokeGrant", "kms:GetKeyRotationStatus"};
  const bool retire = request.action == "kms:RetireGrant";
  const bool consult = !request.key.is_null() && !iam_only.contains(request.action);
  std::string key_deny;
  std::map<std::string, std::string> key_allow;  // how the caller is meant → statement
  if (consult) {
    // Conditions on tags and aliases of the resource are for policies of principals only.
    ReferenceRequest seen = request;
    std::erase_if(seen.values, [](const auto& entry) {
      return StartsWith(entry.first, "aws:resourcetag/") || entry.first == "kms:resourcealiases";
    });
    for (std::size_t i = 0; i < request.key["Statement"].size(); ++i) {
      const Json& statement = request.key["Statement"][i];
      const std::string how = How(statement, request);
      if (how.empty() || !MatchesRest(statement, seen)) continue;
      const std::string id = IdOf(request.key, i);
      if (statement["Effect"] == "Deny") {
        if (key_deny.empty()) key_deny = id;
      } else if (!retire) {
        key_allow.emplace(how, id);
      }
    }
  }
  const Said identity = Ask(request.identity, request);
  const Said boundary = Ask(request.boundary, request);
  const Said session = Ask(request.session_policy, request);
  std::string limit;
  if (boundary.present && boundary.allow.empty()) {
    limit = "no boundary allows";
  } else if (session.present && session.allow.empty()) {
    limit = "no session policy allows";
  }
  const bool abroad = request.caller_account != request.resource_account;
  const bool works = !abroad || across.contains(request.action);

  std::string denied;
  if (!key_deny.empty()) {
    denied = "key policy " + key_deny;
  } else if (!identity.deny.empty()) {
    denied = "identity policy " + identity.deny;
  } else if (!boundary.deny.empty()) {
    denied = "boundary " + boundary.deny;
  } else if (!session.deny.empty()) {
    denied = "session policy " + session.deny;
  }
  if (!denied.empty()) {
    const bool let_in =
        works && key_deny.empty() && (!key_allow.empty() || !request.grants.empty());
    return (abroad && !let_in ? "foreign resource: " : "explicit deny: ") + denied;
  }

  if (abroad) {
    if (!works) return "foreign resource";
    const bool own_side = !identity.allow.empty() && limit.empty();
    for (const char* how : {"self", "role", "everyone", "account"}) {
      if (key_allow.contains(how) && own_side) return "allowed: key policy " + key_allow[how];
    }
    bool own_grant = false;
    for (const ReferenceGrant& grant : request.grants) {
      const bool own = grant.issuing_account == request.caller_account;
      own_grant = own_grant || own;
      const bool limited = request.session && !grant.to_session && !limit.empty();
      if (own ? !limited : own_side) return "allowed: grant " + grant.id;
    }
    if (key_allow.empty() && request.grants.empty()) return "foreign resource";
    if (identity.allow.empty() && !own_grant) return "no identity policy allows";
    return limit;
  }

  bool held_back = false;
  if (key_allow.contains("self")) return "allowed: key policy " + key_allow["self"];
  for (const char* how : {"role", "everyone"}) {
    if (!key_allow.contains(how)) continue;
    if (!request.session || limit.empty()) return "allowed: key policy " + key_allow[how];
    held_back = true;
  }
  const bool delegated = !consult || retire || key_allow.contains("account");
  if (delegated && !identity.allow.empty()) {
    if (limit.empty()) return "allowed: identity policy " + identity.allow;
    held_back = true;
  }
  for (const ReferenceGrant& grant : request.grants) {
    if (grant.to_session || !request.session || limit.empty()) return "allowed: grant " + grant.id;
    held_back = true;
  }
  if (held_back) return limit;
  return delegated ? "no identity policy allows" : "no resource policy allows";
}

}  // namespace hallmark::testing
