// Patterns with * (any run of characters) and ? (any one character).
#pragma once

#include <string>
#include <string_view>

namespace hallmark {

enum class LetterCase { kSensitive, kInsensitive };

// In a compiled pattern the wildcards are bytes that UTF-8 never uses, so that a literal * or ? can
// stand beside them: "${*}" in a policy, or the value of a variable.
inline constexpr char kAnyRun = '\xFF';
inline constexpr char kAnyOne = '\xFE';

// Whether the whole `text` matches, in time linear in the text: what stands before the first run
// and behind the last is compared in place; each piece between takes a bounded number of steps for
// each byte that it passes, and for each 64 bytes of its own. Letters are those of ASCII; a text
// that is not UTF-8 is matched, though nobody says how.
bool MatchesCompiled(std::string_view compiled, std::string_view text, LetterCase letter_case);

// The lower-case form of ASCII letters; every other byte stays.
constexpr char LowerCase(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool EqualIgnoringCase(std::string_view a, std::string_view b);

// A pattern of UTF-8 text.
class Pattern {
 public:
  Pattern(std::string_view pattern, LetterCase letter_case);
  bool Matches(std::string_view text) const {
    return MatchesCompiled(compiled_, text, letter_case_);
  }

 private:
  std::string compiled_;
  LetterCase letter_case_;
};

}  // namespace hallmark
