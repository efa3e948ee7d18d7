// The table of outcomes in README.md: what each operation comes to, killed at each point.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hallmark::testing {

// Point and outcome, in their order: {"3 before sync hallmark.db-wal", "done"}.
using Outcomes = std::vector<std::pair<std::string, std::string>>;

// The rows of `operation`. With HALLMARK_UPDATE_GOLDEN=1 they are replaced by `seen` first.
Outcomes CommittedOutcomes(const std::string& operation, const Outcomes& seen);

// The operations that have rows.
std::vector<std::string> CommittedOperations();

std::string Print(const std::string& operation, const Outcomes& outcomes);

}  // namespace hallmark::testing
