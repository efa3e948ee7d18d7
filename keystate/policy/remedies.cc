// What would have to change for a refused request to be allowed.
#include "keystate/policy/explain.h"

#include <algorithm>
#include <string>
#include <utility>

namespace hallmark {
namespace {

const PolicyTrace* Find(const Explanation& explanation, Decider policy) {
  for (const PolicyTrace& trace : explanation.policies) {
    if (trace.policy == policy) return &trace;
  }
  return nullptr;
}

std::string StatementOf(const std::string& id, Decider policy) {
  return "\"" + id + "\" of the " + std::string(Name(policy));
}

// Beyond that nobody reads on, and an answer would not arrive.
constexpr std::size_t kMostSentences = 30;

class Sentences {
 public:
  Sentences(const AccessRequest& request, const Explanation& explanation)
      : request_(request),
        explanation_(explanation),
        action_(PolicyAction(request.operation)),
        to_do_(action_ + " on " + std::string(request.resource_arn)),
        who_(request.caller.arn) {}

  std::vector<std::string> Take() && {
    switch (explanation_.decision.refusal) {
      case Refusal::kNone:
        break;
      case Refusal::kExplicitDeny:
        AgainstDeny();
        break;
      case Refusal::kNoIdentityPolicyAllows:
        Add("The identity policy of " + who_ + " has to allow " + to_do_ + AndItsLimits() +
            OrTheKeyItself() + ".");
        AddNearMisses({Decider::kIdentityPolicy, Decider::kKeyPolicy});
        break;
      case Refusal::kNoResourcePolicyAllows:
        ForTheKeyPolicy();
        break;
      case Refusal::kNoBoundaryAllows:
        Limit(Decider::kPermissionsBoundary);
        break;
      case Refusal::kNoSessionPolicyAllows:
        Limit(Decider::kSessionPolicy);
        break;
      case Refusal::kForeignResource:
        Abroad();
        break;
    }
    return std::move(sentences_);
  }

 private:
  void Add(std::string sentence) {
    if (sentences_.size() < kMostSentences) sentences_.push_back(std::move(sentence));
  }
  bool IsAtHome() const { return request_.caller.account == request_.resource_account; }

  // What the key could say for itself, where key policies have a say and the caller is at home.
  std::string OrTheKeyItself() const {
    if (!IsAtHome() || request_.key_policy == nullptr || !ConsultsKeyPolicy(request_.operation) ||
        request_.operation == Operation::kRetireGrant) {
      return "";
    }
    return ", or the key policy has to name " + who_ + ", or a grant has to give it this operation";
  }

  // Whether a statement allows it as things are; of a key policy one that means more than the
  // account.
  bool Allows(Decider policy) const {
    const PolicyTrace* const trace = Find(explanation_, policy);
    if (trace == nullptr || !trace->consulted) return false;
    return std::any_of(
        trace->statements.begin(), trace->statements.end(), [&](const StatementTrace& statement) {
          return statement.effect == Effect::kAllow && statement.mismatch == Mismatch::kNone &&
                 (policy != Decider::kKeyPolicy || statement.reach > Reach::kAccount);
        });
  }

  // What limits the identity policy and does not allow it, either.
  std::string AndItsLimits() const {
    std::string limits;
    for (const Decider limit : {Decider::kPermissionsBoundary, Decider::kSessionPolicy}) {
      if (Find(explanation_, limit) == nullptr || Allows(limit)) continue;
      limits += ", and so has its " + std::string(Name(limit));
    }
    return limits;
  }

  void AgainstDeny() {
    const ExplainedDecision& decision = explanation_.decision;
    const std::string statement = StatementOf(decision.because, decision.decider);
    Add("Statement " + statement + " denies " + action_ +
        ": no permission helps as long as it matches.");
    // Abroad not every policy is shown, and who may retire a grant is said by the grant.
    if (IsAtHome() && request_.operation != Operation::kRetireGrant &&
        !Allows(Decider::kIdentityPolicy) && !Allows(Decider::kKeyPolicy)) {
      Add("Without that statement, too, no policy lets " + who_ + " do this; a grant could.");
    }
    const PolicyTrace* const trace = Find(explanation_, decision.decider);
    if (trace == nullptr) return;
    for (const StatementTrace& denies : trace->statements) {
      if (denies.effect != Effect::kDeny || denies.mismatch != Mismatch::kNone) continue;
      for (const ConditionTrace& condition : denies.conditions) {
        Add("Statement " + StatementOf(denies.id, decision.decider) +
            " denies only as long as its condition is met: " + Describe(condition) + ".");
      }
    }
  }

  void ForTheKeyPolicy() {
    Add("The key policy has to allow " + action_ + " to " + who_ + " or to its account " +
        std::string(request_.caller.account.text()) +
        ", or a grant has to give it this operation." +
        (Allows(Decider::kIdentityPolicy) && AndItsLimits().empty()
             ? " The account is enough: the identity policy allows it already."
             : " To the account is enough only with an identity policy that allows "
               "it, too" +
                   AndItsLimits() + "."));
    AddNearMisses({Decider::kKeyPolicy});
  }

  void Limit(Decider limit) {
    Add("Something allows " + to_do_ + ", but the " + std::string(Name(limit)) + " of " + who_ +
        " has to allow it, too.");
    AddNearMisses({limit});
  }

  void Abroad() {
    if (!WorksAcrossAccounts(request_.operation)) {
      Add(action_ + " does not work across accounts: nothing lets " + who_ +
          " do this with a resource of account " + std::string(request_.resource_account.text()) +
          ".");
      return;
    }
    Add("Account " + std::string(request_.resource_account.text()) + " has to allow this to " +
        who_ +
        " or its account in the policy of its key, if there is "
        "such a key, or by a grant, and not deny it.");
    Add("The identity policy of " + who_ + " has to allow " + to_do_ + ", too" + AndItsLimits() +
        ".");
    AddNearMisses({Decider::kKeyPolicy, Decider::kIdentityPolicy});
  }

  // The statements that would allow, but for their conditions.
  void AddNearMisses(std::initializer_list<Decider> policies) {
    for (const Decider policy : policies) {
      const PolicyTrace* const trace = Find(explanation_, policy);
      if (trace == nullptr || !trace->consulted) continue;
      for (const StatementTrace& statement : trace->statements) {
        if (statement.effect != Effect::kAllow || statement.mismatch != Mismatch::kCondition) {
          continue;
        }
        for (const ConditionTrace& condition : statement.conditions) {
          if (condition.outcome == ConditionOutcome::kMet) continue;
          Add("Statement " + StatementOf(statement.id, policy) +
              " would allow it, but its condition is not met: " + Describe(condition) + ".");
        }
      }
    }
  }

  const AccessRequest& request_;
  const Explanation& explanation_;
  const std::string action_;
  const std::string to_do_;
  const std::string who_;
  std::vector<std::string> sentences_;
};

}  // namespace

std::vector<std::string> Remedies(const AccessRequest& request, const Explanation& explanation) {
  return Sentences(request, explanation).Take();
}

}  // namespace hallmark
