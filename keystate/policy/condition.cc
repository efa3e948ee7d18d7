#include "keystate/policy/condition.h"

#include "keystate/base64.h"
#include "keystate/policy/condition_values.h"
#include "keystate/policy/malformed.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace hallmark {
namespace {

enum class Family { kString, kNumeric, kDate, kBool, kBinary, kIp, kArn, kNull };
enum class Compare { kEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

template <class T>
bool Holds(Compare compare, const T& requested, const T& value) {
  switch (compare) {
    case Compare::kEqual:
      return requested == value;
    case Compare::kLess:
      return requested < value;
    case Compare::kLessOrEqual:
      return requested <= value;
    case Compare::kGreater:
      return requested > value;
    case Compare::kGreaterOrEqual:
      return requested >= value;
  }
  return false;
}

}  // namespace

// Laid out like IAM's list of condition operators. A negated operator holds where its counterpart
// does not, for a key that is absent too.
struct Condition::OperatorRow {
  std::string_view name;
  Family family;
  Compare compare = Compare::kEqual;
  bool negated = false;
  bool wildcards = false;
  LetterCase letter_case = LetterCase::kSensitive;
};

// NOLINTNEXTLINE(modernize-avoid-c-arrays): sized by its rows
const Condition::OperatorRow Condition::kOperators[] = {
    {"StringEquals", Family::kString},
    {"StringNotEquals", Family::kString, Compare::kEqual, true},
    {"StringEqualsIgnoreCase", Family::kString, Compare::kEqual, false, false,
     LetterCase::kInsensitive},
    {"StringNotEqualsIgnoreCase", Family::kString, Compare::kEqual, true, false,
     LetterCase::kInsensitive},
    {"StringLike", Family::kString, Compare::kEqual, false, true},
    {"StringNotLike", Family::kString, Compare::kEqual, true, true},
    {"NumericEquals", Family::kNumeric},
    {"NumericNotEquals", Family::kNumeric, Compare::kEqual, true},
    {"NumericLessThan", Family::kNumeric, Compare::kLess},
    {"NumericLessThanEquals", Family::kNumeric, Compare::kLessOrEqual},
    {"NumericGreaterThan", Family::kNumeric, Compare::kGreater},
    {"NumericGreaterThanEquals", Family::kNumeric, Compare::kGreaterOrEqual},
    {"DateEquals", Family::kDate},
    {"DateNotEquals", Family::kDate, Compare::kEqual, true},
    {"DateLessThan", Family::kDate, Compare::kLess},
    {"DateLessThanEquals", Family::kDate, Compare::kLessOrEqual},
    {"DateGreaterThan", Family::kDate, Compare::kGreater},
    {"DateGreaterThanEquals", Family::kDate, Compare::kGreaterOrEqual},
    {"Bool", Family::kBool},
    {"BinaryEquals", Family::kBinary},
    {"IpAddress", Family::kIp},
    {"NotIpAddress", Family::kIp, Compare::kEqual, true},
    // Both forms of each take wildcards, part by part.
    {"ArnEquals", Family::kArn, Compare::kEqual, false, true},
    {"ArnLike", Family::kArn, Compare::kEqual, false, true},
    {"ArnNotEquals", Family::kArn, Compare::kEqual, true, true},
    {"ArnNotLike", Family::kArn, Compare::kEqual, true, true},
    {"Null", Family::kNull},
};

const Condition::OperatorRow* Condition::FindOperator(std::string_view name) {
  const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                   [&](const OperatorRow& row) { return row.name == name; });
  return found == std::end(kOperators) ? nullptr : found;
}

std::string Condition::ParseOperator(std::string_view name) {
  operator_name_ = name;
  constexpr std::string_view kAny = "ForAnyValue:";
  constexpr std::string_view kAll = "ForAllValues:";
  constexpr std::string_view kIfExists = "IfExists";
  std::string_view base = name;
  if (base.starts_with(kAny)) {
    quantifier_ = Quantifier::kForAnyValue;
    base.remove_prefix(kAny.size());
  } else if (base.starts_with(kAll)) {
    quantifier_ = Quantifier::kForAllValues;
    base.remove_prefix(kAll.size());
  }
  if (base.ends_with(kIfExists)) {
    if_exists_ = true;
    base.remove_suffix(kIfExists.size());
  }
  row_ = FindOperator(base);
  if (row_ == nullptr) return "the operator " + Quoted(name) + " does not exist";
  if (row_->family == Family::kNull && (if_exists_ || quantifier_ != Quantifier::kNone)) {
    return "Null takes neither IfExists nor a set operator";
  }
  return {};
}

std::string Condition::CompileText(Value& value, bool variables) const {
  std::string reason;
  auto compiled = TextTemplate::Parse(value.text, {row_->wildcards, variables}, reason);
  if (!compiled) return reason;
  value.compiled = *std::move(compiled);
  return {};
}

std::string Condition::CompileArn(Value& value, bool variables) const {
  // One star alone is written where any ARN will do.
  const std::vector<std::string_view> texts =
      value.text == "*" ? std::vector<std::string_view>{value.text} : SplitArn(value.text);
  if (texts.size() != 1 && (texts.size() != kArnParts || texts.front() != "arn")) {
    return Quoted(value.text) + " is not an ARN";
  }
  if (texts.size() == 1 && value.text != "*") return Quoted(value.text) + " is not an ARN";
  ArnParts parts;
  for (const std::string_view text : texts) {
    std::string reason;
    auto part = TextTemplate::Parse(text, {true, variables}, reason);
    if (!part) return reason;
    parts.push_back(*std::move(part));
  }
  value.compiled = std::move(parts);
  return {};
}

std::string Condition::AddValue(const JsonValue& json, bool variables) {
  if (json.kind != JsonValue::Kind::kString && json.kind != JsonValue::Kind::kNumber &&
      json.kind != JsonValue::Kind::kBool) {
    return "expected a string, a number or a bool, or a list of them";
  }
  Value value{json.text, {}};
  const auto is_not = [&](const char* what) { return Quoted(value.text) + " is not " + what; };
  std::string reason;
  switch (row_->family) {
    case Family::kString:
      reason = CompileText(value, variables);
      break;
    case Family::kArn:
      reason = CompileArn(value, variables);
      break;
    case Family::kNumeric:
      if (const auto number = ParseNumber(value.text)) {
        value.compiled = *number;
      } else {
        reason = is_not("a number");
      }
      break;
    case Family::kDate:
      if (const auto time = ParsePolicyTime(value.text)) {
        value.compiled = *time;
      } else {
        reason = is_not("a date");
      }
      break;
    case Family::kIp:
      if (const auto range = IpRange::Parse(value.text)) {
        value.compiled = *range;
      } else {
        reason = is_not("an IP address or range");
      }
      break;
    case Family::kBool:
    case Family::kNull:
      if (!EqualIgnoringCase(value.text, "true") && !EqualIgnoringCase(value.text, "false")) {
        reason = is_not("\"true\" or \"false\"");
      }
      break;
    case Family::kBinary:
      if (auto bytes = DecodeBase64(value.text)) {
        value.compiled = *std::move(bytes);
      } else {
        reason = is_not("base64");
      }
      break;
  }
  if (const auto* text = std::get_if<TextTemplate>(&value.compiled)) {
    has_variables_ |= text->has_variables();
  } else if (const auto* parts = std::get_if<ArnParts>(&value.compiled)) {
    has_variables_ |= std::any_of(parts->begin(), parts->end(),
                                  [](const TextTemplate& part) { return part.has_variables(); });
  }
  values_.push_back(std::move(value));
  return reason;
}

Result<std::vector<Condition>> Condition::ParseAll(const JsonValue& element,
                                                   const std::string& place, bool variables) {
  if (!element.is_object()) return MalformedPolicy(place, "expected an object");
  std::vector<Condition> conditions;
  for (std::size_t i = 0; i < element.items.size(); ++i) {
    const JsonValue& keys = element.items[i];
    const std::size_t first_of_operator = conditions.size();
    Condition prototype;
    if (std::string reason = prototype.ParseOperator(element.names[i]); !reason.empty()) {
      return MalformedPolicy(place, reason);
    }
    const std::string operator_place = place + ", " + element.names[i];
    if (!keys.is_object() || keys.items.empty()) {
      return MalformedPolicy(operator_place, "expected an object of condition keys");
    }
    for (std::size_t k = 0; k < keys.items.size(); ++k) {
      Condition condition = prototype;
      std::optional<ConditionKey> key = ConditionKey::Parse(keys.names[k]);
      if (!key) {
        return MalformedPolicy(operator_place,
                               "the condition key " + Quoted(keys.names[k]) + " does not exist");
      }
      for (std::size_t j = first_of_operator; j < conditions.size(); ++j) {
        if (EqualIgnoringCase(conditions[j].key_.name, key->name)) {
          return MalformedPolicy(operator_place,
                                 "the condition key " + Quoted(key->name) + " occurs twice");
        }
      }
      condition.key_ = *std::move(key);
      const JsonValue& values = keys.items[k];
      if (values.is_array() && values.items.empty()) {
        return MalformedPolicy(operator_place, Quoted(keys.names[k]) + " has no value");
      }
      const auto add = [&](const JsonValue& value) { return condition.AddValue(value, variables); };
      std::string reason;
      if (values.is_array()) {
        for (std::size_t v = 0; v < values.items.size() && reason.empty(); ++v) {
          reason = add(values.items[v]);
        }
      } else {
        reason = add(values);
      }
      if (!reason.empty()) return MalformedPolicy(operator_place, reason);
      conditions.push_back(std::move(condition));
    }
  }
  return conditions;
}

std::vector<std::string> Condition::value_texts() const {
  std::vector<std::string> texts;
  texts.reserve(values_.size());
  for (const Value& value : values_) texts.push_back(value.text);
  return texts;
}

bool Condition::ResolveAll(const AccessRequest& request, PolicyKind kind) const {
  const auto resolves = [&](const TextTemplate& text) {
    if (!text.has_variables()) return true;
    ResolvedText room;
    return text.Resolve(request, kind, room).has_value();
  };
  return std::all_of(values_.begin(), values_.end(), [&](const Value& value) {
    if (const auto* text = std::get_if<TextTemplate>(&value.compiled)) return resolves(*text);
    const auto* parts = std::get_if<ArnParts>(&value.compiled);
    return parts == nullptr || std::all_of(parts->begin(), parts->end(), resolves);
  });
}

bool Condition::ValueMatches(const Value& value, std::string_view requested,
                             const AccessRequest& request, PolicyKind kind) const {
  const auto pattern_matches = [&](const TextTemplate& pattern, std::string_view text) {
    ResolvedText room;
    const auto compiled = pattern.Resolve(request, kind, room);
    return compiled && MatchesCompiled(*compiled, text, row_->letter_case);
  };
  switch (row_->family) {
    case Family::kString:
      return pattern_matches(std::get<TextTemplate>(value.compiled), requested);
    case Family::kArn: {
      if (!requested.starts_with("arn:")) return false;
      const auto& parts = std::get<ArnParts>(value.compiled);
      std::string_view rest = requested;
      return std::all_of(parts.begin(), parts.end(), [&](const TextTemplate& part) {
        const auto text = TakeArnPart(rest, &part == &parts.back());
        return text && pattern_matches(part, *text);
      });
    }
    case Family::kNumeric: {
      const auto number = ParseNumber(requested);
      return number && Holds(row_->compare, *number, std::get<double>(value.compiled));
    }
    case Family::kDate: {
      const auto time = ParsePolicyTime(requested);
      return time && Holds(row_->compare, *time, std::get<WallTime>(value.compiled));
    }
    case Family::kIp: {
      const auto address = IpAddress::Parse(requested);
      return address && std::get<IpRange>(value.compiled).Contains(*address);
    }
    case Family::kBool:
      return EqualIgnoringCase(requested, value.text);
    case Family::kBinary:
      return std::get<std::string>(value.compiled) == requested;
    case Family::kNull:
      break;  // asks whether there is a value, not which
  }
  return false;
}

bool Condition::Satisfied(std::string_view requested, const AccessRequest& request,
                          PolicyKind kind) const {
  const bool any = std::any_of(values_.begin(), values_.end(), [&](const Value& value) {
    return ValueMatches(value, requested, request, kind);
  });
  return any != row_->negated;
}

ConditionOutcome Condition::Evaluate(const AccessRequest& request, PolicyKind kind,
                                     Effect effect) const {
  const auto outcome = [](bool met) {
    return met ? ConditionOutcome::kMet : ConditionOutcome::kNotMet;
  };
  ValueBuffer buffer;
  const KeyValues values = KeyValues::Read(key_, request, kind, buffer);
  if (values.over_quota()) return outcome(effect == Effect::kDeny);
  const bool absent = values.size() == 0;
  if (row_->family == Family::kNull) {
    return outcome(std::any_of(values_.begin(), values_.end(), [&](const Value& value) {
      return EqualIgnoringCase(value.text, "true") == absent;
    }));
  }
  if (has_variables_ && !ResolveAll(request, kind)) return ConditionOutcome::kUnresolved;
  if (absent) {
    // A set operator asks about the values that are there: all of none, any of none.
    if (if_exists_ || quantifier_ == Quantifier::kForAllValues) return ConditionOutcome::kMet;
    return outcome(quantifier_ == Quantifier::kNone && row_->negated);
  }

  // Without a set operator a negated condition refuses each listed value, so every value of the
  // request must pass; an affirmative one asks for one that does.
  const bool all = quantifier_ == Quantifier::kForAllValues ||
                   (quantifier_ == Quantifier::kNone && row_->negated);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (Satisfied(values[i], request, kind) != all) return outcome(!all);
  }
  return outcome(all);
}

}  // namespace hallmark
