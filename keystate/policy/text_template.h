// A text of a policy in which variables stand: "arn:aws:kms:*:*:key/${aws:PrincipalTag/key}".
#pragma once

#include "keystate/policy/condition_keys.h"
#include "keystate/policy/pattern.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hallmark {

// How a text is read.
struct TextRules {
  bool wildcards = false;  // * and ? stand for characters
  bool variables = false;  // ${key} stands for a value of the request: Version 2012-10-17
};

// The text of a template with its values in place; on the stack while it is not long.
class ResolvedText {
 public:
  void Append(std::string_view text);
  std::string_view text() const {
    return overflow_.empty() ? std::string_view(inline_.data(), size_) : overflow_;
  }

 private:
  std::array<char, 512> inline_;
  std::size_t size_ = 0;
  std::string overflow_;
};

// Compiled once. A value that is put in stands for itself: a * in a tag is no wildcard.
class TextTemplate {
 public:
  // `reason` is told why, when there is no template: an unclosed or nameless variable.
  static std::optional<TextTemplate> Parse(std::string_view text, TextRules rules,
                                           std::string& reason);

  bool has_variables() const { return !pieces_.empty(); }
  // Whether it matches everything.
  bool matches_all() const { return pieces_.empty() && text_ == std::string_view(&kAnyRun, 1); }

  // Whether letters at the beginning differ already: most patterns of a policy are told apart so.
  // False says nothing.
  bool Rejects(std::string_view text) const {
    return pieces_.empty() && !text.starts_with(std::string_view(text_).substr(0, literal_prefix_));
  }

  // The compiled pattern for this request, in `room` if anything has to be put in. Nothing if a
  // variable has no value and no default: the key does not exist, is absent from the request, or
  // has several values.
  std::optional<std::string_view> Resolve(const AccessRequest& request, PolicyKind kind,
                                          ResolvedText& room) const;

 private:
  struct Variable {
    std::optional<ConditionKey> key;  // nothing: there is no such key
    std::optional<std::string> fallback;
  };
  using Piece = std::variant<std::string, Variable>;

  static std::optional<Variable> ParseVariable(std::string_view inside, std::string& reason);

  std::size_t literal_prefix_ = 0;  // of text_, up to the first wildcard
  std::string text_;                // without variables: the whole pattern, compiled
  std::vector<Piece> pieces_;       // otherwise: compiled texts and variables in turn
};

}  // namespace hallmark
