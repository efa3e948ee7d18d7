#include "service/cli/text.h"

#include <gtest/gtest.h>

namespace hallmark::cli {
namespace {

TEST(TextTest, LinesAreBrokenBetweenWordsAndIndented) {
  EXPECT_EQ(Wrap("one two three", 2, 9), "  one two\n  three\n");
  EXPECT_EQ(Wrap("one\ntwo", 1), " one\n two\n");
  EXPECT_EQ(Wrap("", 4), "");
}

TEST(TextTest, AWordThatIsTooLongStandsAlone) {
  EXPECT_EQ(Wrap("a abcdefghij b", 0, 5), "a\nabcdefghij\nb\n");
}

TEST(TextTest, TheFirstSentenceEndsAtAPeriodBeforeABlank) {
  EXPECT_EQ(FirstSentence("Makes v1.2 of it. Then more."), "Makes v1.2 of it");
  EXPECT_EQ(FirstSentence("Only one."), "Only one");
  EXPECT_EQ(FirstSentence("Line\nanother. one"), "Line");
}

}  // namespace
}  // namespace hallmark::cli
