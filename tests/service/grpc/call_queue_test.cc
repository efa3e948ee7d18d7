#include "service/grpc/call_queue.h"

#include <grpcpp/alarm.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::grpc_front {
namespace {

using namespace std::chrono_literals;

// Nothing takes as long as this unless the test fails.
constexpr auto kLong = 20s;
// More than the queue has threads on any machine.
constexpr int kMany = 40;

// Waits for the gate, then tells that it is done.
class Waiter final : public Completion {
 public:
  explicit Waiter(std::shared_future<void> gate) : gate_(std::move(gate)) {}
  void Complete(bool) override {
    begun_.set_value();
    gate_.wait();
    done_.set_value();
  }
  void AskFor(grpc::CompletionQueue& queue) {
    alarm_.Set(&queue, std::chrono::system_clock::now(), static_cast<Completion*>(this));
  }
  bool BeginsInTime() { return begun_.get_future().wait_for(kLong) == std::future_status::ready; }
  bool IsDoneInTime() { return done_.get_future().wait_for(kLong) == std::future_status::ready; }

 private:
  const std::shared_future<void> gate_;
  std::promise<void> begun_;
  std::promise<void> done_;
  grpc::Alarm alarm_;
};

class CallQueueTest : public ::testing::Test {
 protected:
  CallQueueTest() {
    grpc::ServerBuilder builder;
    auto queue = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    queue_ = std::make_unique<CallQueue>(std::move(queue));
  }
  ~CallQueueTest() override {
    if (!shut_down_) ShutDown();
  }

  void ShutDown() {
    server_->Shutdown();
    queue_->ShutDown();
    shut_down_ = true;
  }

  std::unique_ptr<Waiter> Ask(const std::shared_future<void>& gate) {
    auto waiter = std::make_unique<Waiter>(gate);
    waiter->AskFor(queue_->queue());
    return waiter;
  }

  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<CallQueue> queue_;
  bool shut_down_ = false;
};

TEST_F(CallQueueTest, ThreadsThatAreHeldUpAreReplaced) {
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (int i = 0; i < kMany; ++i) waiters.push_back(Ask(open));
  for (const auto& waiter : waiters) EXPECT_TRUE(waiter->BeginsInTime());
  gate.set_value();
  for (const auto& waiter : waiters) EXPECT_TRUE(waiter->IsDoneInTime());
}

TEST_F(CallQueueTest, ThreadsAreReplacedAgainAfterAQuietTime) {
  std::promise<void> already;
  already.set_value();
  EXPECT_TRUE(Ask(already.get_future().share())->IsDoneInTime());
  // Longer than the queue goes on looking without work; the next work must be seen nevertheless.
  std::this_thread::sleep_for(1500ms);
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (int i = 0; i < kMany; ++i) waiters.push_back(Ask(open));
  for (const auto& waiter : waiters) EXPECT_TRUE(waiter->BeginsInTime());
  gate.set_value();
  for (const auto& waiter : waiters) EXPECT_TRUE(waiter->IsDoneInTime());
}

TEST_F(CallQueueTest, TheEndWaitsForNobodyWhoIsHeldUp) {
  std::promise<void> gate;
  const auto waiter = Ask(gate.get_future().share());
  ASSERT_TRUE(waiter->BeginsInTime());
  ShutDown();
  gate.set_value();
  EXPECT_TRUE(waiter->IsDoneInTime());
}

}  // namespace
}  // namespace hallmark::grpc_front
