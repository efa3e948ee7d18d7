// A completion queue and the threads that serve it.
#pragma once

#include "service/net/crew.h"

#include <grpcpp/completion_queue.h>

#include <memory>

namespace hallmark::grpc_front {

// What a completion queue hands out. Lives until it has been completed.
class Completion {
 public:
  virtual ~Completion() = default;
  // `ok` is false when what was asked for will not come, since the server stops. Does not throw.
  virtual void Complete(bool ok) = 0;
};

// Calls a member function of what it is a part of.
template <class Owner>
class MemberCompletion final : public Completion {
 public:
  MemberCompletion(Owner& owner, void (Owner::*function)(bool ok))
      : owner_(owner), function_(function) {}
  void Complete(bool ok) override { (owner_.*function_)(ok); }

 private:
  Owner& owner_;
  void (Owner::*const function_)(bool ok);
};

// Serves a queue whose tags are Completions. A thread that does not come back from one, because a
// token hangs, is replaced within some milliseconds: those who wait for the queue do not notice.
//
// Thread-safety: the queue may be used from any thread.
class CallQueue {
 public:
  explicit CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue);
  // Threads that are held up until the end are left behind; they must never come back then.
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  grpc::ServerCompletionQueue& queue() { return *queue_; }

  // After the shutdown of the server: returns when all that was asked for has been completed.
  void ShutDown();

 private:
  const std::shared_ptr<grpc::ServerCompletionQueue> queue_;  // of the threads, too
  bool shut_down_ = false;
  net::Crew crew_;
};

}  // namespace hallmark::grpc_front
