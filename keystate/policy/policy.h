// Policies: a JSON document becomes immutable, compiled statements, or is refused whole.
#pragma once

#include "keystate/policy/statement.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace hallmark {

// A compiled policy of either kind. Immutable; may be used from any thread.
class Policy {
 public:
  // Largest document, in bytes.
  static constexpr std::size_t kMaxBytes = 32768;

  // Compiles a document. `bindings` are those that were made when it was written (BindPrincipals);
  // a policy of a principal has none.
  //
  // Errors: MalformedPolicyDocumentException with the place and the reason, for whatever the
  // grammar
  //   does not know; LimitExceededException for a key policy beyond kMaxBytes.
  static Result<Policy> Parse(std::string_view document, PolicyKind kind,
                              const PolicyBindings& bindings = {});

  PolicyKind kind() const { return kind_; }
  const std::vector<Statement>& statements() const { return statements_; }

 private:
  Policy(PolicyKind kind, std::vector<Statement> statements)
      : kind_(kind), statements_(std::move(statements)) {}

  PolicyKind kind_;
  std::vector<Statement> statements_;
};

// Binds the principals of a key policy that is about to be written.
//
// Errors: as Policy::Parse for a document that is not understood; MalformedPolicyDocumentException
//   `Policy contains a statement with one or more invalid principals.` for a principal that does
//   not exist, a group, a wildcard inside an ARN, or an account of another partition than the
//   site's.
Result<PolicyBindings> BindPrincipals(std::string_view document, const Site& site,
                                      const PrincipalResolver& resolve);

}  // namespace hallmark
