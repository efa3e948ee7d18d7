// Patterns with * and ?: the same verdict as the definition gives, in bounded time.
#include "keystate/policy/pattern.h"
#include "tests/fuzz/promise.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark {
namespace {

bool Continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Policies and the texts of requests are UTF-8; enough of its rules to tell characters apart.
bool LooksLikeUtf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = lead < 0x80   ? 1U
                               : lead < 0xC0 ? 0U
                               : lead < 0xE0 ? 2U
                               : lead < 0xF0 ? 3U
                               : lead < 0xF8 ? 4U
                                             : 0U;
    if (length == 0 || at + length > text.size()) return false;
    for (std::size_t i = 1; i < length; ++i) {
      if (!Continues(text[at + i])) return false;
    }
    at += length;
  }
  return true;
}

// The definition, as a table over all prefixes: slow, and too simple to be wrong. A ? stands for
// one character, so behind it come the bytes that continue that character.
bool MatchesByDefinition(std::string_view pattern, std::string_view text) {
  std::vector<bool> matches(text.size() + 1, false);  // the pattern so far, against text[0, i)
  matches[0] = true;
  for (const char p : pattern) {
    if (p == '*') {
      const auto first = std::find(matches.begin(), matches.end(), true);
      std::fill(first, matches.end(), true);
      // A run ends between characters.
      for (std::size_t i = 0; i < text.size(); ++i) {
        if (Continues(text[i])) matches[i] = false;
      }
      continue;
    }
    std::vector<bool> next(text.size() + 1, false);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!matches[i] || (p != '?' && p != text[i])) continue;
      std::size_t end = i + 1;
      while (p == '?' && end < text.size() && Continues(text[end])) ++end;
      next[end] = true;
    }
    matches = std::move(next);
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
  using hallmark::LetterCase;
  using hallmark::Pattern;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string pattern(input.substr(0, end));
  const std::string_view text = input.substr(std::min(end + 1, input.size()));
  if (!hallmark::LooksLikeUtf8(pattern) || !hallmark::LooksLikeUtf8(text)) return 0;

  HALLMARK_PROMISE(Pattern(pattern, LetterCase::kSensitive).Matches(text) ==
                   hallmark::MatchesByDefinition(pattern, text));
  HALLMARK_PROMISE(Pattern(pattern, LetterCase::kInsensitive).Matches(text) ==
                   hallmark::MatchesByDefinition(hallmark::Lower(pattern), hallmark::Lower(text)));
  return 0;
}
