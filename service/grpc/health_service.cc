#include "service/grpc/health_service.h"

#include "service/grpc/unary_call.h"

#include <grpcpp/support/async_stream.h>

#include <new>
#include <optional>
#include <utility>

namespace hallmark::grpc_front {
namespace {

// So many calls of a method may arrive at once without waiting for a place.
constexpr int kListening = 4;

}  // namespace

class HealthService::Check : public UnaryCall {
 public:
  explicit Check(HealthService& owner) : UnaryCall(owner), owner_(owner) {}

 private:
  void ListenForNext() override { owner_.ListenForCheck(); }
  void Arrived(const std::shared_ptr<QueuedCall>&) override {
    Response::ServingStatus status = Response::SERVICE_UNKNOWN;
    {
      const MutexLock lock(owner_.mu_);
      status = owner_.StatusOf(static_cast<const Request&>(request()).service());
    }
    if (status == Response::SERVICE_UNKNOWN) {
      return Answer({grpc::StatusCode::NOT_FOUND, "unknown service"});
    }
    static_cast<Response&>(response()).set_status(status);
    Answer(grpc::Status::OK);
  }

  HealthService& owner_;
};

// A client that is told of every change until it goes. One answer is under way at a time; of
// changes meanwhile only the last is told.
class HealthService::Watch final : public QueuedCall {
 public:
  explicit Watch(HealthService& owner) : QueuedCall(owner, context_), owner_(owner) {}
  ~Watch() override {
    if (counted_) owner_.quota_.Return(connection_);
  }

  const std::string& service_name() const { return request_.service(); }

  void Tell(Response::ServingStatus status) HALLMARK_EXCLUDES(mu_) {
    const MutexLock lock(mu_);
    wanted_ = status;
    if (!sending_ && !over_) SendIfNews();
  }

 private:
  void RequestFrom(grpc::ServerCompletionQueue& queue, void* tag) override {
    owner_.service_.RequestWatch(&context(), &request_, &writer_, &queue, &queue, tag);
  }

  void ListenForNext() override { owner_.ListenForWatch(); }
  void Arrived(const std::shared_ptr<QueuedCall>& self) override {
    const auto watcher = std::static_pointer_cast<Watch>(self);
    try {
      connection_ = context().peer();
      counted_ = owner_.quota_.Take(connection_);
      if (counted_) {
        owner_.Add(watcher);
        // Who has gone already is not told by Over again.
        if (IsOver()) owner_.Remove(watcher);
        return;
      }
    } catch (const std::bad_alloc&) {
      owner_.Remove(watcher);
    }
    const MutexLock lock(mu_);
    Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many health watches"});
  }

  void OnWritten(bool ok) HALLMARK_EXCLUDES(mu_) {
    const MutexLock lock(mu_);
    sending_ = false;
    if (over_ || !ok) return Finish(grpc::Status::CANCELLED);
    SendIfNews();
  }

  void Over(bool) override {
    {
      const MutexLock lock(mu_);
      over_ = true;
      if (!sending_) Finish(grpc::Status::CANCELLED);
    }
    owner_.Remove(std::static_pointer_cast<Watch>(self()));
  }

  bool IsOver() HALLMARK_EXCLUDES(mu_) {
    const MutexLock lock(mu_);
    return over_;
  }

  void SendIfNews() HALLMARK_REQUIRES(mu_) {
    if (wanted_ == sent_ || finished_) return;
    sent_ = wanted_;
    sending_ = true;
    response_.set_status(*wanted_);
    writer_.Write(response_, TagOf(written_));
  }

  void Finish(const grpc::Status& status) HALLMARK_REQUIRES(mu_) {
    if (!std::exchange(finished_, true)) writer_.Finish(status, finished_tag());
  }

  HealthService& owner_;
  grpc::ServerContext context_;
  Request request_;
  grpc::ServerAsyncWriter<Response> writer_{&context_};
  std::string connection_;
  bool counted_ = false;
  MemberCompletion<Watch> written_{*this, &Watch::OnWritten};
  Mutex mu_;
  Response response_ HALLMARK_GUARDED_BY(mu_);
  std::optional<Response::ServingStatus> wanted_ HALLMARK_GUARDED_BY(mu_);
  std::optional<Response::ServingStatus> sent_ HALLMARK_GUARDED_BY(mu_);
  bool sending_ HALLMARK_GUARDED_BY(mu_) = false;
  bool over_ HALLMARK_GUARDED_BY(mu_) = false;
  bool finished_ HALLMARK_GUARDED_BY(mu_) = false;
};

void HealthService::ListenForAll() {
  for (int i = 0; i < kListening; ++i) {
    ListenForCheck();
    ListenForWatch();
  }
}

void HealthService::ListenForCheck() {
  const auto call = std::make_shared<TypedCall<Check, Service, Request, Response>>(
      service_, &Service::RequestCheck, *this);
  call->Listen(call);
}

void HealthService::ListenForWatch() {
  const auto call = std::make_shared<Watch>(*this);
  call->Listen(call);
}

void HealthService::SetServing(const std::string& service_name, bool serving) {
  const MutexLock lock(mu_);
  serving_[service_name] = serving;
  for (const std::shared_ptr<Watch>& watcher : watchers_) {
    if (watcher->service_name() == service_name) watcher->Tell(StatusOf(service_name));
  }
}

HealthService::Response::ServingStatus HealthService::StatusOf(
    const std::string& service_name) const {
  const auto found = serving_.find(service_name);
  if (found == serving_.end()) return Response::SERVICE_UNKNOWN;
  return found->second ? Response::SERVING : Response::NOT_SERVING;
}

void HealthService::Add(const std::shared_ptr<Watch>& watcher) {
  const MutexLock lock(mu_);
  watchers_.insert(watcher);
  watcher->Tell(StatusOf(watcher->service_name()));
}

void HealthService::Remove(const std::shared_ptr<Watch>& watcher) {
  const MutexLock lock(mu_);
  watchers_.erase(watcher);
}

}  // namespace hallmark::grpc_front
