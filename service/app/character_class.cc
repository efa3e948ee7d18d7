#include "service/app/character_class.h"

#include <algorithm>
#include <cstdlib>

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

}  // namespace

CharacterClass::CharacterClass(std::string_view pattern) {
  constexpr std::string_view kOpen = "^[";
  constexpr std::string_view kClose = "]+$";
  if (!pattern.starts_with(kOpen) || !pattern.ends_with(kClose)) std::abort();
  pattern.remove_prefix(kOpen.size());
  pattern.remove_suffix(kClose.size());
  while (!pattern.empty()) {
    if (pattern.starts_with("\\w")) {
      pattern.remove_prefix(2);
      ranges_.insert(ranges_.end(), {{U'A', U'Z'}, {U'a', U'z'}, {U'0', U'9'}, {U'_', U'_'}});
      continue;
    }
    const char32_t first = TakeCodePoint(pattern);
    char32_t last = first;
    if (pattern.size() > 1 && pattern.front() == '-') {
      pattern.remove_prefix(1);
      last = TakeCodePoint(pattern);
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
