#include "keystate/policy/pattern.h"

#include <gtest/gtest.h>

#include <string>

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

// Pieces of more than 32 bytes are found another way than short ones, and the states of more than
// 64 need more than one word.
TEST(PatternTest, LongPiecesAreFoundAsShortOnesAre) {
  for (const std::size_t length : {31, 32, 33, 63, 64, 65, 127, 128, 129, 300}) {
    const std::string literal = std::string(length - 1, 'a') + "b";
    std::string question = literal;
    question[length / 2] = '?';
    question[length - 1] = '?';
    for (const LetterCase letter_case : {LetterCase::kSensitive, LetterCase::kInsensitive}) {
      const bool folds = letter_case == LetterCase::kInsensitive;
      EXPECT_TRUE(Pattern("*" + literal + "*", letter_case).Matches("aaa" + literal + "aaa"));
      EXPECT_FALSE(Pattern("*" + literal + "*", letter_case).Matches(std::string(3 * length, 'a')));
      EXPECT_EQ(Pattern("*" + literal + "*", letter_case)
                    .Matches("x" + std::string(length - 1, 'A') + "B"),
                folds);
      EXPECT_TRUE(Pattern("*" + question + "*c", letter_case)
                      .Matches(std::string(length / 2, 'a') + "\xC3\xA9" +
                               std::string(length - length / 2 - 2, 'a') + "\xE6\x97\xA5" + "c"));
      EXPECT_FALSE(Pattern("*" + question + "*c", letter_case)
                       .Matches(std::string(length - 2, 'a') + "\xE6\x97\xA5" + "c"));
      // Two pieces may not share a character.
      EXPECT_TRUE(
          Pattern("*" + literal + "*" + literal + "*", letter_case).Matches(literal + literal));
      EXPECT_FALSE(Pattern("*" + literal + "*" + literal + "*", letter_case)
                       .Matches("a" + literal + literal.substr(1)));
    }
  }
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
