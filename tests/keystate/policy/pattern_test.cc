#include "keystate/policy/pattern.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {
namespace {

struct PatternRow {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(PatternTest, StarIsAnyRunAndQuestionMarkAnyOne) {
  for (const PatternRow& row : std::initializer_list<PatternRow>{
           {"*", "", true},
           {"*", "kms:GenerateMac", true},
           {"kms:*", "kms:GenerateMac", true},
           {"kms:*", "iam:GenerateMac", false},
           {"kms:*Mac", "kms:VerifyMac", true},
           {"kms:*Mac", "kms:VerifyMacs", false},
           {"kms:G*e*c", "kms:GenerateMac", true},
           {"kms:?erifyMac", "kms:VerifyMac", true},
           {"kms:?erifyMac", "kms:erifyMac", false},
           {"a*b*c", "abbbc", true},
           {"a*b*c", "abbb", false},
           {"", "", true},
           {"", "x", false},
           {"**", "x", true},
           {"?", "\xC3\xA9", true},  // one character, two bytes
           {"??", "\xC3\xA9", false},
           {"*?", "\xE6\x97\xA5", true},
           {"*??", "\xE6\x97\xA5", false},
       }) {
    EXPECT_EQ(Pattern(row.pattern, LetterCase::kSensitive).Matches(row.text), row.matches)
        << row.pattern << " on " << row.text;
  }
}

TEST(PatternTest, CaseCountsOnlyWhereItShall) {
  EXPECT_TRUE(Pattern("KMS:generatemac", LetterCase::kInsensitive).Matches("kms:GenerateMac"));
  EXPECT_FALSE(Pattern("KMS:generatemac", LetterCase::kSensitive).Matches("kms:GenerateMac"));
}

// `parts`, one after the other.
std::string Concat(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const std::string_view part : parts) all += part;
  return all;
}

// Pieces that almost stand at many places are found another way than others; its states of more
// than 64 bytes need more than one word.
TEST(PatternTest, LongPiecesAreFoundAsShortOnesAre) {
  for (const std::size_t length :
       {31UL, 32UL, 33UL, 63UL, 64UL, 65UL, 127UL, 128UL, 129UL, 300UL}) {
    const std::string literal = std::string(length - 1, 'a') + "b";
    std::string question = literal;
    question[length / 2] = '?';
    question[length - 1] = '?';
    for (const LetterCase letter_case : {LetterCase::kSensitive, LetterCase::kInsensitive}) {
      const bool folds = letter_case == LetterCase::kInsensitive;
      EXPECT_TRUE(Pattern(Concat({"*", literal, "*"}), letter_case)
                      .Matches(Concat({"aaa", literal, "aaa"})));
      EXPECT_FALSE(
          Pattern(Concat({"*", literal, "*"}), letter_case).Matches(std::string(3 * length, 'a')));
      EXPECT_EQ(Pattern(Concat({"*", literal, "*"}), letter_case)
                    .Matches(Concat({"x", std::string(length - 1, 'A'), "B"})),
                folds);
      EXPECT_TRUE(
          Pattern(Concat({"*", question, "*c"}), letter_case)
              .Matches(Concat({std::string(length / 2, 'a'), "\xC3\xA9",
                               std::string(length - length / 2 - 2, 'a'), "\xE6\x97\xA5", "c"})));
      EXPECT_FALSE(Pattern(Concat({"*", question, "*c"}), letter_case)
                       .Matches(Concat({std::string(length - 2, 'a'), "\xE6\x97\xA5", "c"})));
      // Behind so much that almost fits that trying is given up.
      const std::string almost(8 * length, 'a');
      EXPECT_TRUE(Pattern(Concat({"*", literal, "*"}), letter_case)
                      .Matches(Concat({almost, literal, "a"})));
      EXPECT_TRUE(Pattern(Concat({"*", literal, "c"}), letter_case)
                      .Matches(Concat({almost, literal, "c"})));
      EXPECT_TRUE(Pattern(Concat({"*", literal, "*d?f"}), letter_case)
                      .Matches(Concat({almost, literal, "d\xC3\xA9", "f"})));
      EXPECT_TRUE(Pattern(Concat({"*", literal, "*", literal, "*e"}), letter_case)
                      .Matches(Concat({almost, literal, almost, literal, "e"})));
      EXPECT_FALSE(Pattern(Concat({"*", literal, "*", literal, "*e"}), letter_case)
                       .Matches(Concat({almost, literal, almost, "e"})));
      std::string accented = literal;
      accented.replace(length / 2, 1, "\xC3\xA9");
      std::string asked = literal;
      asked[length / 2] = '?';
      EXPECT_TRUE(Pattern(Concat({"*", asked, "*e"}), letter_case)
                      .Matches(Concat({almost, accented, "e"})));
      EXPECT_TRUE(Pattern(Concat({"*", accented, "*e"}), letter_case)
                      .Matches(Concat({almost, accented, "e"})));
      EXPECT_FALSE(Pattern(Concat({"*", accented, "*e"}), letter_case)
                       .Matches(Concat({almost, literal, "e"})));
      // Two pieces may not share a character.
      EXPECT_TRUE(Pattern(Concat({"*", literal, "*", literal, "*"}), letter_case)
                      .Matches(Concat({literal, literal})));
      EXPECT_FALSE(Pattern(Concat({"*", literal, "*", literal, "*"}), letter_case)
                       .Matches(Concat({"a", literal, literal.substr(1)})));
    }
  }
}

// The definition, by characters.
bool Like(std::u32string_view pattern, std::u32string_view text) {
  std::vector<bool> matches(text.size() + 1, false);  // the pattern so far, against text[0, i)
  matches[0] = true;
  for (const char32_t p : pattern) {
    if (p == U'*') {
      std::fill(std::find(matches.begin(), matches.end(), true), matches.end(), true);
      continue;
    }
    for (std::size_t i = text.size(); i > 0; --i) {
      matches[i] = matches[i - 1] && (p == U'?' || p == text[i - 1]);
    }
    matches[0] = false;
  }
  return matches.back();
}

std::string Utf8(std::u32string_view text) {
  std::string bytes;
  for (const char32_t c : text) {
    bytes += c == U'\u00E9'   ? "\xC3\xA9"
             : c == U'\u65E5' ? "\xE6\x97\xA5"
                              : std::string(1, static_cast<char>(c));
  }
  return bytes;
}

// Texts of few characters, so that pieces almost fit at many places; patterns are made from the
// text that they are compared with.
TEST(PatternTest, MatchesWhatTheDefinitionMatches) {
  std::mt19937 random(20261122);
  const auto below = [&](std::size_t end) { return random() % end; };
  constexpr std::u32string_view kLetters = U"aab\u00E9\u65E5";
  int matched = 0;
  const int rounds = std::getenv("HALLMARK_LONG") != nullptr ? 20'000 : 500;
  for (int round = 0; round < rounds; ++round) {
    std::u32string text;
    for (std::size_t n = below(300); n > 0; --n) text += kLetters[below(kLetters.size())];
    std::u32string pattern;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t kept = std::min(text.size() - at, below(140));
      pattern += text.substr(at, kept);
      at += kept;
      if (below(8) == 0) break;
      pattern += U'*';
      at += below(20);
    }
    for (std::size_t n = below(4); n > 0 && !pattern.empty(); --n) {
      pattern[below(pattern.size())] = below(3) == 0 ? kLetters[below(kLetters.size())] : U'?';
    }
    const bool want = Like(pattern, text);
    matched += want ? 1 : 0;
    ASSERT_EQ(Pattern(Utf8(pattern), LetterCase::kSensitive).Matches(Utf8(text)), want)
        << Utf8(pattern) << " on " << Utf8(text);
    ASSERT_EQ(Pattern(Utf8(pattern), LetterCase::kInsensitive).Matches(Utf8(text)), want);
  }
  EXPECT_GT(matched, rounds / 10);
  EXPECT_LT(matched, rounds - rounds / 10);
}

TEST(PatternTest, ManyStarsDoNotTakeExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  pattern += "b";
  const std::string text(10'000, 'a');
  // An exponential matcher would not come back before the test's time-out.
  EXPECT_FALSE(Pattern(pattern, LetterCase::kSensitive).Matches(text));
}

}  // namespace
}  // namespace hallmark
