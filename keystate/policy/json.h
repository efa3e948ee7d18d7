// The strict JSON reader for policy documents.
#pragma once

#include "keystate/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace hallmark {

// A JSON value as it was written: members keep their order, numbers their digits.
struct JsonValue {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  // Of a string its characters, of a number its digits, of a bool "true" or "false".
  std::string text{};
  // Of an object the names of its members; items[i] is the value of names[i].
  std::vector<std::string> names{};
  std::vector<JsonValue> items{};

  bool is_string() const { return kind == Kind::kString; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_object() const { return kind == Kind::kObject; }
};

// The deepest nesting of a document; the grammar of policies needs six levels. It bounds every
// recursion over a JsonValue.
inline constexpr std::size_t kMaxPolicyDepth = 16;

// Reads a document that is not larger than its caller allows.
//
// Errors: MalformedPolicyDocumentException, with the place, for what is not JSON or not UTF-8, a
//   member that occurs twice in an object, a control character in a name or string (it could forge
//   a line of a log), and nesting deeper than kMaxPolicyDepth.
Result<JsonValue> ParsePolicyJson(std::string_view text);

}  // namespace hallmark
