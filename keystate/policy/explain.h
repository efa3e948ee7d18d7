// Why a request is allowed or refused, statement by statement, for people.
#pragma once

#include "keystate/authorize.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {

// The element of a statement that keeps it from matching; they are asked in this order.
enum class Mismatch { kNone, kInert, kPrincipal, kAction, kResource, kCondition };

// One comparison of a Condition element.
struct ConditionTrace {
  std::string operator_name;  // as written: "StringEqualsIfExists"
  std::string key;
  std::vector<std::string> policy_values;
  // What the request has, the first few; empty: the key is absent from it.
  std::vector<std::string> request_values;
  ConditionOutcome outcome;
};

// "StringEquals of kms:MacAlgorithm with "HMAC_SHA_512": the request has "HMAC_SHA_256"".
std::string Describe(const ConditionTrace& trace);

struct StatementTrace {
  std::string id;
  Effect effect;
  Reach reach;
  // The first element that does not match; kNone: the statement matches.
  Mismatch mismatch;
  // For people: "Action does not name kms:GenerateMac".
  std::string reason;
  // Every condition, evaluated whether or not the elements before match.
  std::vector<ConditionTrace> conditions;
};

struct PolicyTrace {
  Decider policy;
  // False: the policy has no say in this request (the operation never consults key policies).
  bool consulted = true;
  std::vector<StatementTrace> statements;
};

// A Decision that owns its text.
struct ExplainedDecision {
  bool allowed;
  Decider decider;
  std::string because;
  bool explicit_deny;
  Refusal refusal;
};

struct Explanation {
  ExplainedDecision decision;
  // What the caller is told; nothing when it is allowed.
  std::optional<std::string> refusal_text;
  // The policies that are there: key policy, identity policy, permissions boundary, session policy.
  std::vector<PolicyTrace> policies;
};

// Explains what Authorize decides; the decision is Authorize's own. Slow: for a person who asks.
Explanation Explain(const AccessRequest& request);
// The same where rules beside Authorize had a part in the decision.
Explanation Explain(const AccessRequest& request, const Decision& decision);

// The decision and its text alone, without the policies.
Explanation ExplainInShort(const AccessRequest& request, const Decision& decision);

// What would have to change for the request to be allowed, in sentences for people; none when it
// is. The first names the ways there are, or what stands in every way; statements that fail by
// their conditions alone are further ways.
std::vector<std::string> Remedies(const AccessRequest& request, const Explanation& explanation);

}  // namespace hallmark
