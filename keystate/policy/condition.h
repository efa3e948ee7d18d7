// One line of a Condition element: an operator, a key, the values to compare with.
#pragma once

#include "keystate/policy/condition_keys.h"
#include "keystate/policy/ip_range.h"
#include "keystate/policy/json.h"
#include "keystate/policy/text_template.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hallmark {

enum class Effect { kAllow, kDeny };

// How a condition treats a key that has several values.
enum class Quantifier { kNone, kForAnyValue, kForAllValues };

// Yes, no, or: a variable of it has no value, so the whole statement does not match.
enum class ConditionOutcome { kMet, kNotMet, kUnresolved };

class Condition {
 public:
  // Reads a whole Condition element.
  //
  // Errors: MalformedPolicyDocumentException with the place, which begins with `place`, for an
  //   operator, key or value that does not exist or does not fit.
  static Result<std::vector<Condition>> ParseAll(const JsonValue& element, const std::string& place,
                                                 bool variables);

  // `effect` is that of the statement: it decides what a key with too many aliases means.
  ConditionOutcome Evaluate(const AccessRequest& request, PolicyKind kind, Effect effect) const;

  // As written: "ForAnyValue:StringEqualsIfExists".
  const std::string& operator_name() const { return operator_name_; }
  const ConditionKey& key() const { return key_; }
  // The policy's values as written.
  std::vector<std::string> value_texts() const;

 private:
  struct OperatorRow;
  using ArnParts = std::vector<TextTemplate>;  // the six parts, or one that matches every ARN
  struct Value {
    std::string text;
    // According to the operator: text and its patterns, ARNs, numbers, times, addresses, bytes;
    // bools and Null compare with `text`.
    std::variant<std::monostate, TextTemplate, ArnParts, double, WallTime, IpRange, std::string>
        compiled;
  };

  static const OperatorRow kOperators[];  // NOLINT(modernize-avoid-c-arrays): sized by its rows
  static const OperatorRow* FindOperator(std::string_view name);
  // Why the name is refused, or nothing.
  std::string ParseOperator(std::string_view name);
  // Why the value is refused, or nothing.
  std::string AddValue(const JsonValue& json, bool variables);
  std::string CompileText(Value& value, bool variables) const;
  std::string CompileArn(Value& value, bool variables) const;

  bool ResolveAll(const AccessRequest& request, PolicyKind kind) const;
  bool ValueMatches(const Value& value, std::string_view requested, const AccessRequest& request,
                    PolicyKind kind) const;
  // Whether one value of the request satisfies the condition, negation applied.
  bool Satisfied(std::string_view requested, const AccessRequest& request, PolicyKind kind) const;

  std::string operator_name_;
  const OperatorRow* row_ = nullptr;
  Quantifier quantifier_ = Quantifier::kNone;
  bool if_exists_ = false;
  bool has_variables_ = false;
  ConditionKey key_;
  std::vector<Value> values_;
};

}  // namespace hallmark
