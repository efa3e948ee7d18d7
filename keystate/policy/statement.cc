#include "keystate/policy/statement.h"

#include <algorithm>

namespace hallmark {

Reach ReachOf(const Statement& statement, const Caller& caller) {
  if (!statement.principals) return Reach::kSelf;
  const Reach named = statement.principals->ReachOf(caller);
  if (!statement.not_principal) return named;
  const bool spared =
      named == Reach::kAccount ? statement.effect == Effect::kAllow : named != Reach::kNone;
  return spared ? Reach::kNone : Reach::kEveryone;
}

std::optional<bool> ResourceMatches(const Statement& statement, const AccessRequest& request,
                                    PolicyKind kind) {
  bool matches = false;
  for (const TextTemplate& resource : statement.resources) {
    if (resource.matches_all()) {
      matches = true;
      continue;
    }
    if (resource.Rejects(request.resource_arn)) continue;
    ResolvedText room;
    const auto pattern = resource.Resolve(request, kind, room);
    if (!pattern) return std::nullopt;
    matches = matches || MatchesCompiled(*pattern, request.resource_arn, LetterCase::kSensitive);
  }
  return matches != statement.not_resource;
}

bool MatchesBesidesPrincipal(const Statement& statement, const AccessRequest& request,
                             PolicyKind kind) {
  if (!statement.has_action || !statement.has_resource) return false;
  if (!statement.operations.Contains(request.operation)) return false;
  if (!ResourceMatches(statement, request, kind).value_or(false)) return false;
  return std::all_of(
      statement.conditions.begin(), statement.conditions.end(), [&](const Condition& condition) {
        return condition.Evaluate(request, kind, statement.effect) == ConditionOutcome::kMet;
      });
}

}  // namespace hallmark
