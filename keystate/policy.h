// Identity policies: a JSON document becomes immutable, compiled rules, or is refused whole.
#pragma once

#include "keystate/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace hallmark {

enum class Effect { kAllow, kDeny };

// A pattern with * (any run of characters) and ? (any one). Matching takes at most the product of
// both lengths, whatever the pattern.
class Pattern {
 public:
  enum class Case { kSensitive, kInsensitive };
  Pattern(std::string pattern, Case letter_case);
  bool Matches(std::string_view text) const;

 private:
  std::string pattern_;
  Case case_;
};

struct Statement {
  std::string id;  // the Sid, or "statement 2" (counted from 1)
  Effect effect;
  std::vector<Pattern> actions;
  std::vector<Pattern> resources;
};

// An identity policy. It understands Version, Id, Sid, Effect, Action and Resource; a document with
// any other element is refused rather than half understood.
class IdentityPolicy {
 public:
  // Largest document, in bytes.
  static constexpr std::size_t kMaxBytes = 32768;

  // Errors: MalformedPolicyDocumentException with the place and the reason.
  static Result<IdentityPolicy> Parse(std::string_view json);

  const std::vector<Statement>& statements() const { return statements_; }

 private:
  explicit IdentityPolicy(std::vector<Statement> statements) : statements_(std::move(statements)) {}
  std::vector<Statement> statements_;
};

}  // namespace hallmark
