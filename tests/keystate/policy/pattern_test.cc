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
