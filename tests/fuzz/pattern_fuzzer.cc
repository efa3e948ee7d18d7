// Patterns with * and ?: the same verdict as the definition gives, in bounded time.
#include "keystate/policy.h"
#include "tests/fuzz/promise.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {
namespace {

// The definition, as a table over all prefixes: slow, and too simple to be wrong.
bool MatchesByDefinition(std::string_view pattern, std::string_view text) {
  std::vector<bool> matches(text.size() + 1, false);  // the pattern so far, against text[0, i)
  matches[0] = true;
  for (const char p : pattern) {
    if (p == '*') {
      const auto first = std::find(matches.begin(), matches.end(), true);
      std::fill(first, matches.end(), true);
      continue;
    }
    for (std::size_t i = text.size(); i > 0; --i) {
      matches[i] = matches[i - 1] && (p == '?' || p == text[i - 1]);
    }
    matches[0] = false;
  }
  return matches[text.size()];
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace
}  // namespace hallmark

// The pattern, a newline, then the text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hallmark::Pattern;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string pattern(input.substr(0, end));
  const std::string_view text = input.substr(std::min(end + 1, input.size()));

  HALLMARK_PROMISE(Pattern(pattern, Pattern::Case::kSensitive).Matches(text) ==
                   hallmark::MatchesByDefinition(pattern, text));
  HALLMARK_PROMISE(Pattern(pattern, Pattern::Case::kInsensitive).Matches(text) ==
                   hallmark::MatchesByDefinition(hallmark::Lower(pattern), hallmark::Lower(text)));
  return 0;
}
