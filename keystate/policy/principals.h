// The principals that a statement of a key policy names.
#pragma once

#include "keystate/ids.h"
#include "keystate/policy/access_request.h"
#include "keystate/policy/json.h"
#include "keystate/records.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {

// Stored beside the document, in the order of its principals, each once.
using PolicyBindings = std::vector<PrincipalBinding>;

// The unique id of the user, role or session with this ARN or unique id; nothing if there is none.
using PrincipalResolver = std::function<std::optional<std::string>(std::string_view)>;

// The same for lookups while a document is compiled: as written → unique id. Borrows the bindings.
using BindingIndex = std::map<std::string_view, std::string_view>;
BindingIndex IndexOf(const PolicyBindings& bindings);

// How a list of principals means a caller; the strongest that applies.
enum class Reach {
  kNone,
  kAccount,   // its account is named: in an Allow, the account's own policies decide
  kEveryone,  // "*"
  kRole,      // the role whose session it is
  kSelf,      // itself: the user, this one session, or the account's root as root
};
inline constexpr std::size_t kReaches = 5;

class PrincipalSet {
 public:
  // Reads a Principal or NotPrincipal element.
  //
  // Errors: MalformedPolicyDocumentException with the place for a wrong form; `Policy contains a
  //   statement with one or more invalid principals.` for a principal without a binding.
  static Result<PrincipalSet> Parse(const JsonValue& element, const std::string& place,
                                    const BindingIndex& bindings);

  Reach ReachOf(const Caller& caller) const;

 private:
  bool everyone_ = false;
  std::vector<AccountId> accounts_;      // sorted
  std::vector<std::string> unique_ids_;  // sorted
};

// A principal of the kind "AWS", as it is written.
enum class PrincipalForm { kEveryone, kAccount, kBound };
struct WrittenPrincipal {
  PrincipalForm form;
  std::optional<AccountId> account{};  // of kAccount
};
WrittenPrincipal ReadPrincipal(std::string_view text);

// Visits every principal of the kind "AWS" in a Principal or NotPrincipal element.
//
// Errors: as PrincipalSet::Parse for a wrong form; the visitor's.
Status ForEachAwsPrincipal(const JsonValue& element, const std::string& place,
                           const std::function<Status(std::string_view)>& visit);

// `Policy contains a statement with one or more invalid principals.`
Unexpected<Error> InvalidPrincipals();

}  // namespace hallmark
