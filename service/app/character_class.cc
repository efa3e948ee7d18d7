#include "service/app/character_class.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <system_error>

namespace hallmark::app {
namespace {

// Takes the first code point off valid UTF-8.
char32_t TakeCodePoint(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t point = size == 1 ? lead : lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < std::min(size, text.size()); ++i) {
    point = (point << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  text.remove_prefix(std::min(size, text.size()));
  return point;
}

// Takes one character of a class off its text: itself or, as \u00FF, its number.
char32_t TakeMember(std::string_view& members) {
  constexpr std::string_view kEscape = "\\u";
  constexpr std::size_t kDigits = 4;
  if (!members.starts_with('\\')) return TakeCodePoint(members);
  if (!members.starts_with(kEscape)) std::abort();
  members.remove_prefix(kEscape.size());
  std::uint32_t point = 0;
  const std::string_view digits = members.substr(0, kDigits);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), point, 16);
  if (error != std::errc() || end != digits.data() + kDigits) std::abort();
  members.remove_prefix(kDigits);
  return point;
}

}  // namespace

CharacterClass::CharacterClass(std::string_view pattern) {
  // How often is not ours to say: lengths are constraints of their own.
  constexpr std::size_t kCloseLength = 2;
  constexpr std::string_view kWord = "\\w";
  // A pattern is about the whole text, with anchors or without.
  if (pattern.starts_with('^')) pattern.remove_prefix(1);
  if (pattern.ends_with('$')) pattern.remove_suffix(1);
  if (!pattern.starts_with('[') || (!pattern.ends_with("]+") && !pattern.ends_with("]*"))) {
    std::abort();
  }
  pattern.remove_prefix(1);
  pattern.remove_suffix(kCloseLength);
  while (!pattern.empty()) {
    if (pattern.starts_with(kWord)) {
      pattern.remove_prefix(kWord.size());
      ranges_.insert(ranges_.end(), {{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'_', '_'}});
      continue;
    }
    const char32_t first = TakeMember(pattern);
    char32_t last = first;
    if (pattern.size() > 1 && pattern.front() == '-') {
      pattern.remove_prefix(1);
      last = TakeMember(pattern);
    }
    ranges_.emplace_back(first, last);
  }
}

bool CharacterClass::MatchesAll(std::string_view text) const {
  while (!text.empty()) {
    const char32_t point = TakeCodePoint(text);
    const bool inside = std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& range) {
      return point >= range.first && point <= range.second;
    });
    if (!inside) return false;
  }
  return true;
}

std::size_t CodePoints(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

}  // namespace hallmark::app
