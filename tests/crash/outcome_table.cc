#include "tests/crash/outcome_table.h"

#include "tests/support/child_process.h"

#include <cstdlib>
#include <map>
#include <sstream>
#include <string_view>

namespace hallmark::testing {
namespace {

constexpr std::string_view kHeading = "### ";
constexpr std::string_view kTableHead = "| killed | outcome |\n|---|---|\n";

// The page up to the first operation, and the operations in alphabetical order.
struct Page {
  std::string before;
  std::map<std::string, Outcomes> operations;
};

Page ReadPage() {
  Page page;
  std::istringstream text(ReadFile(HALLMARK_CRASH_README));
  Outcomes* outcomes = nullptr;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with(kHeading)) {
      outcomes = &page.operations[line.substr(kHeading.size())];
    } else if (outcomes == nullptr) {
      page.before += line + "\n";
    } else if (line.starts_with("| ") && !kTableHead.starts_with(line)) {
      const std::size_t bar = line.find(" | ");
      const std::size_t end = line.rfind(" |");
      outcomes->emplace_back(line.substr(2, bar - 2), line.substr(bar + 3, end - bar - 3));
    }
  }
  return page;
}

void WritePage(const Page& page) {
  std::string text = page.before;
  for (const auto& [operation, outcomes] : page.operations) {
    if (!text.ends_with("\n\n")) text += "\n";
    text += Print(operation, outcomes);
  }
  WriteFile(HALLMARK_CRASH_README, text);
}

}  // namespace

Outcomes CommittedOutcomes(const std::string& operation, const Outcomes& seen) {
  Page page = ReadPage();
  const char* update = std::getenv("HALLMARK_UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") {
    page.operations[operation] = seen;
    WritePage(page);
  }
  return page.operations[operation];
}

std::vector<std::string> CommittedOperations() {
  std::vector<std::string> names;
  for (const auto& [operation, outcomes] : ReadPage().operations) names.push_back(operation);
  return names;
}

std::string Print(const std::string& operation, const Outcomes& outcomes) {
  std::string text = std::string(kHeading) + operation + "\n\n" + std::string(kTableHead);
  for (const auto& [point, outcome] : outcomes) text += "| " + point + " | " + outcome + " |\n";
  return text;
}

}  // namespace hallmark::testing
