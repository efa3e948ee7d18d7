#include "service/grpc/call_queue.h"

#include <utility>

namespace hallmark::grpc_front {

CallQueue::CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : queue_(std::move(queue)), crew_([queue = queue_](net::Crew::Desk& desk) {
        void* tag = nullptr;
        bool ok = false;
        if (!queue->Next(&tag, &ok)) return false;
        desk.Begin();
        static_cast<Completion*>(tag)->Complete(ok);
        desk.End();
        return true;
      }) {}

CallQueue::~CallQueue() {
  if (!shut_down_) ShutDown();
}

void CallQueue::ShutDown() {
  shut_down_ = true;
  queue_->Shutdown();
  crew_.ShutDown();
}

}  // namespace hallmark::grpc_front
