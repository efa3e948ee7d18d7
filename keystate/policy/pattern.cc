#include "keystate/policy/pattern.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hallmark {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

bool Continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// The place behind the character that begins at `at`.
std::size_t CharacterEnd(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && Continues(text[at])) ++at;
  return at;
}

// Where the character begins that ends at `at`.
std::size_t CharacterBegin(std::string_view text, std::size_t at) {
  --at;
  while (at > 0 && Continues(text[at])) --at;
  return at;
}

// The byte as it is compared.
template <LetterCase kCase>
char Folded(char c) {
  return kCase == LetterCase::kInsensitive ? LowerCase(c) : c;
}

// Below, a piece is what stands between runs of a pattern: literal bytes, and kAnyOne for one
// character each.

// Where the piece ends that stands at `at` of the text; kNowhere if it does not stand there. Adds
// the bytes that were compared to `steps`.
template <LetterCase kCase>
std::size_t EndAt(std::string_view piece, std::string_view text, std::size_t at,
                  std::size_t& steps) {
  for (const char p : piece) {
    ++steps;
    if (at == text.size()) return kNowhere;
    if (p == kAnyOne) {
      at = CharacterEnd(text, at);
    } else if (Folded<kCase>(text[at]) == Folded<kCase>(p)) {
      ++at;
    } else {
      return kNowhere;
    }
  }
  return at;
}

// Where the piece begins with which the text ends.
template <LetterCase kCase>
std::size_t BeginOfSuffix(std::string_view piece, std::string_view text) {
  std::size_t at = text.size();
  for (auto p = piece.rbegin(); p != piece.rend(); ++p) {
    if (at == 0) return kNowhere;
    if (*p == kAnyOne) {
      at = CharacterBegin(text, at);
    } else if (Folded<kCase>(text[at - 1]) == Folded<kCase>(*p)) {
      --at;
    } else {
      return kNowhere;
    }
  }
  return at;
}

// The nondeterministic automaton of a piece, 64 of its states in a word: a bit says that the piece
// up to there ends at the byte just read. So every byte of the text is read once.
template <LetterCase kCase>
std::size_t EndOfFirstByStates(std::string_view piece, std::string_view text) {
  constexpr std::size_t kBits = 64;
  constexpr std::size_t kByteValues = 256;
  constexpr std::size_t kTables = kByteValues + 2;
  constexpr std::size_t kUsualWords = 4;
  const std::size_t words = (piece.size() + kBits - 1) / kBits;
  std::array<std::uint64_t, kTables * kUsualWords> usual_room;
  std::vector<std::uint64_t> more_room(words > kUsualWords ? kTables * words : 0);
  const std::span<std::uint64_t> room =
      more_room.empty() ? std::span(usual_room).first(kTables * words) : std::span(more_room);
  std::fill(room.begin(), room.end(), 0);
  // By byte: the states that it leads to; then those that any character leads to, and the present.
  const std::span<std::uint64_t> literal = room.first(kByteValues * words);
  const std::span<std::uint64_t> any_one = room.subspan(literal.size(), words);
  const std::span<std::uint64_t> states = room.last(words);
  for (std::size_t i = 0; i < piece.size(); ++i) {
    const auto folded = static_cast<unsigned char>(Folded<kCase>(piece[i]));
    std::uint64_t& word =
        piece[i] == kAnyOne ? any_one[i / kBits] : literal[folded * words + i / kBits];
    word |= std::uint64_t{1} << (i % kBits);
  }
  const std::uint64_t last = std::uint64_t{1} << ((piece.size() - 1) % kBits);
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool continues = Continues(text[at]);
    const auto folded = static_cast<unsigned char>(Folded<kCase>(text[at]));
    std::uint64_t carry = 1;  // the piece may begin at every byte
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t shifted = (states[w] << 1U) | carry;
      carry = states[w] >> (kBits - 1);
      // Further bytes of a character leave it where it is.
      states[w] = continues ? (shifted & literal[folded * words + w]) | (states[w] & any_one[w])
                            : shifted & (literal[folded * words + w] | any_one[w]);
    }
    if ((states.back() & last) != 0) return CharacterEnd(text, at);
  }
  return kNowhere;
}

// Where the first occurrence of the piece ends. It is tried at one place after the other, which is
// quickest as long as the first bytes tell; where they do not, the rest is left to the states.
template <LetterCase kCase>
std::size_t EndOfFirst(std::string_view piece, std::string_view text) {
  constexpr std::size_t kStepsForTables = 256;
  constexpr std::size_t kStepsForAByte = 4;
  if (piece.size() > text.size()) return kNowhere;
  std::size_t steps = 0;
  for (std::size_t at = 0; at < text.size(); at = CharacterEnd(text, at)) {
    const std::size_t end = EndAt<kCase>(piece, text, at, steps);
    if (end != kNowhere) return end;
    if (steps > kStepsForTables + kStepsForAByte * at) {
      const std::size_t found = EndOfFirstByStates<kCase>(piece, text.substr(at));
      return found == kNowhere ? kNowhere : at + found;
    }
  }
  return kNowhere;
}

template <LetterCase kCase>
bool Matches(std::string_view compiled, std::string_view text) {
  const std::size_t first_run = compiled.find(kAnyRun);
  std::size_t steps = 0;
  const std::size_t prefix = EndAt<kCase>(compiled.substr(0, first_run), text, 0, steps);
  if (prefix == kNowhere) return false;
  if (first_run == kNowhere) return prefix == text.size();
  text.remove_prefix(prefix);

  const std::size_t last_run = compiled.rfind(kAnyRun);
  const std::size_t suffix = BeginOfSuffix<kCase>(compiled.substr(last_run + 1), text);
  if (suffix == kNowhere) return false;
  text = text.substr(0, suffix);

  // Each piece between may stand at its first occurrence: that leaves most to those behind it.
  std::string_view middle = compiled.substr(first_run, last_run - first_run);
  while (!middle.empty()) {
    middle.remove_prefix(1);
    const std::string_view piece = middle.substr(0, middle.find(kAnyRun));
    middle.remove_prefix(piece.size());
    if (piece.empty()) continue;
    const std::size_t end = EndOfFirst<kCase>(piece, text);
    if (end == kNowhere) return false;
    text.remove_prefix(end);
  }
  return true;
}

}  // namespace

bool MatchesCompiled(std::string_view compiled, std::string_view text, LetterCase letter_case) {
  return letter_case == LetterCase::kInsensitive ? Matches<LetterCase::kInsensitive>(compiled, text)
                                                 : Matches<LetterCase::kSensitive>(compiled, text);
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
