#include "service/grpc/unknown_methods.h"

#include <memory>

namespace hallmark::grpc_front {
namespace {

// So many may arrive at once without waiting for a place.
constexpr int kListening = 4;

}  // namespace

class UnknownMethods::Call final : public QueuedCall {
 public:
  explicit Call(UnknownMethods& owner) : QueuedCall(owner, context_), owner_(owner) {}

 private:
  void RequestFrom(grpc::ServerCompletionQueue& queue, void* tag) override {
    owner_.service_.RequestCall(&context_, &stream_, &queue, &queue, tag);
  }
  void ListenForNext() override { owner_.Listen(); }
  void Arrived(const std::shared_ptr<QueuedCall>&) override {
    stream_.Finish({grpc::StatusCode::UNIMPLEMENTED, ""}, finished_tag());
  }

  UnknownMethods& owner_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
};

void UnknownMethods::ListenForAll() {
  for (int i = 0; i < kListening; ++i) Listen();
}

void UnknownMethods::Listen() {
  const auto call = std::make_shared<Call>(*this);
  call->QueuedCall::Listen(call);
}

}  // namespace hallmark::grpc_front
