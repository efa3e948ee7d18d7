#include "service/app/stranger_budget.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>

namespace hallmark::app {
namespace {

using namespace std::chrono_literals;

TEST(StrangerBudgetTest, OneASecondIsNotedAndSaysHowManyWerePassedOver) {
  StrangerBudget budget;
  const SteadyTime start{10s};
  EXPECT_EQ(budget.Note(start), 0);
  EXPECT_EQ(budget.Note(start + 1ms), std::nullopt);
  EXPECT_EQ(budget.Note(start + 999ms), std::nullopt);
  EXPECT_EQ(budget.Note(start + 1s), 2);
  EXPECT_EQ(budget.Note(start + 1s), std::nullopt);
  EXPECT_EQ(budget.Note(start + 1h), 1);
}

// A thread read the clock, and was passed by others before it could say so.
TEST(StrangerBudgetTest, AnOlderSecondDoesNotSetTheClockBack) {
  StrangerBudget budget;
  const SteadyTime start{10s};
  EXPECT_EQ(budget.Note(start + 1s), 0);
  EXPECT_EQ(budget.Note(start), std::nullopt);
  EXPECT_EQ(budget.Note(start + 1s), std::nullopt);
  EXPECT_EQ(budget.Note(start + 2s), 2);
}

TEST(StrangerBudgetTest, TheFirstIsNotedAtTheBeginningOfTimeToo) {
  StrangerBudget budget;
  EXPECT_EQ(budget.Note(SteadyTime{}), 0);
}

}  // namespace
}  // namespace hallmark::app
