#include "keystate/policy/json.h"

#include "keystate/policy/malformed.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace hallmark {
namespace {

using Kind = JsonValue::Kind;

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

// Receives what nlohmann's parser reads and builds the tree. The parser does not recurse.
class TreeBuilder {
 public:
  using Json = nlohmann::json;

  // The names are those of nlohmann's SAX interface.
  // NOLINTBEGIN(readability-identifier-naming)
  bool null() { return Add({Kind::kNull}); }
  bool boolean(bool value) { return Add({Kind::kBool, value ? "true" : "false"}); }
  bool number_integer(std::int64_t value) { return Add({Kind::kNumber, std::to_string(value)}); }
  bool number_unsigned(std::uint64_t value) { return Add({Kind::kNumber, std::to_string(value)}); }
  bool number_float(double /*value*/, const std::string& digits) {
    return Add({Kind::kNumber, digits});
  }
  bool string(std::string& value) {
    if (std::any_of(value.begin(), value.end(), IsControl)) {
      return Refuse("a string holds a control character");
    }
    return Add({Kind::kString, std::move(value)});
  }
  bool binary(Json::binary_t& /*value*/) { return Refuse("it is not valid JSON"); }
  bool start_object(std::size_t /*size*/) { return Open(Kind::kObject); }
  bool key(std::string& name) {
    if (std::any_of(name.begin(), name.end(), IsControl)) {
      return Refuse("a name holds a control character");
    }
    open_.back()->names.push_back(std::move(name));
    return true;
  }
  bool end_object() {
    std::vector<std::string_view> names(open_.back()->names.begin(), open_.back()->names.end());
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) {
      return Refuse("the member " + Quoted(*twice) + " occurs twice");
    }
    open_.pop_back();
    return true;
  }
  bool start_array(std::size_t /*size*/) { return Open(Kind::kArray); }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) {
    refusal_ =
        MalformedPolicy("policy", "it is not valid JSON at byte " + std::to_string(position));
    return false;
  }
  // NOLINTEND(readability-identifier-naming)

  Result<JsonValue> Finish(bool parsed) && {
    if (refusal_) return *std::move(refusal_);
    if (!parsed) return MalformedPolicy("policy", "it is not valid JSON");
    return std::move(root_);
  }

 private:
  bool Add(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else {
      open_.back()->items.push_back(std::move(value));
    }
    return true;
  }

  bool Open(Kind kind) {
    if (open_.size() == kMaxPolicyDepth) {
      return Refuse("it is nested more than " + std::to_string(kMaxPolicyDepth) + " levels deep");
    }
    Add({kind});
    // The address stays: while this one is open, nothing is added to what holds it.
    open_.push_back(open_.empty() ? &root_ : &open_.back()->items.back());
    return true;
  }

  bool Refuse(const std::string& reason) {
    refusal_ = MalformedPolicy(Place(), reason);
    return false;
  }

  // Where the parser stands: "policy", "statement 2", "statement 2, Condition, item 3".
  std::string Place() const {
    std::string place;
    const auto append = [&](const std::string& part) {
      if (!place.empty()) place += ", ";
      place += part;
    };
    bool in_statements = false;
    for (std::size_t level = 0; level + 1 < open_.size(); ++level) {
      const JsonValue& parent = *open_[level];
      if (parent.is_array()) {
        append((level == 1 && in_statements ? "statement " : "item ") +
               std::to_string(parent.items.size()));
      } else if (level == 0 && parent.names.back() == "Statement") {
        in_statements = true;
        if (open_[1]->is_object()) append("statement 1");
      } else {
        const std::string& name = parent.names.back();
        append(name.size() <= 64 ? name : Quoted(name));
      }
    }
    return place.empty() ? "policy" : place;
  }

  JsonValue root_;
  std::vector<JsonValue*> open_;
  std::optional<Unexpected<Error>> refusal_;
};

}  // namespace

Result<JsonValue> ParsePolicyJson(std::string_view text) {
  TreeBuilder builder;
  const bool parsed = nlohmann::json::sax_parse(text, &builder);
  return std::move(builder).Finish(parsed);
}

}  // namespace hallmark
