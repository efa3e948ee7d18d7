#include "service/app/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>

namespace hallmark::app {
namespace {

TEST(WorkerPoolTest, RunsWhatWasTakenBeforeItEnds) {
  std::atomic<int> ran{0};
  {
    WorkerPool pool(2, 100);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.Submit([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 100);
}

TEST(WorkerPoolTest, RefusesWhatDoesNotFit) {
  std::latch busy(1);
  std::latch release(1);
  // After the latches, so that its thread is gone before they are.
  WorkerPool pool(1, 1);
  ASSERT_TRUE(pool.Submit([&] {
    busy.count_down();
    release.wait();
  }));
  busy.wait();
  EXPECT_TRUE(pool.Submit([] {}));
  EXPECT_FALSE(pool.Submit([] {}));
  release.count_down();
}

}  // namespace
}  // namespace hallmark::app
