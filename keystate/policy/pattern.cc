#include "keystate/policy/pattern.h"

#include <algorithm>
#include <cstddef>

namespace hallmark {
namespace {

// The place behind the character that begins at `at`.
std::size_t NextCharacter(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) ++at;
  return at;
}

template <class Same>
bool Match(std::string_view pattern, std::string_view text, Same same) {
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t behind_run = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == kAnyRun) {
      behind_run = ++p;
      if (p == pattern.size()) return true;
      retry = t;
    } else if (p < pattern.size() && pattern[p] == kAnyOne) {
      t = NextCharacter(text, t);
      ++p;
    } else if (p < pattern.size() && same(text[t], pattern[p])) {
      ++t;
      ++p;
    } else if (behind_run != std::string_view::npos) {
      p = behind_run;
      t = retry = NextCharacter(text, retry);
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == kAnyRun) ++p;
  return p == pattern.size();
}

}  // namespace

bool MatchesCompiled(std::string_view compiled, std::string_view text, LetterCase letter_case) {
  if (letter_case == LetterCase::kInsensitive) {
    return Match(compiled, text, [](char a, char b) { return LowerCase(a) == LowerCase(b); });
  }
  return Match(compiled, text, [](char a, char b) { return a == b; });
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerCase(x) == LowerCase(y); });
}

Pattern::Pattern(std::string_view pattern, LetterCase letter_case)
    : compiled_(pattern), letter_case_(letter_case) {
  for (char& c : compiled_) {
    if (c == '*') {
      c = kAnyRun;
    } else if (c == '?') {
      c = kAnyOne;
    }
  }
}

}  // namespace hallmark
