// The standard health service: who probes or balances learns whether we serve.
#pragma once

#include "grpc/health/v1/health.grpc.pb.h"
#include "keystate/mutex.h"
#include "service/grpc/connection_quota.h"
#include "service/grpc/queued_call.h"

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace hallmark::grpc_front {

// Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
//
// Thread-safety: every method may be called from any thread.
class HealthService final : public QueuedService {
 public:
  using Service = grpc::health::v1::Health::AsyncService;

  // Streams of one connection at once; more are refused with RESOURCE_EXHAUSTED.
  static constexpr std::size_t kMaxWatchesPerConnection = 16;

  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  const char* full_name() const override { return grpc::health::v1::Health::service_full_name(); }

  // Known from now on; "" is the whole server.
  void SetServing(const std::string& service_name, bool serving) HALLMARK_EXCLUDES(mu_);

 private:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;
  class Check;
  class Watch;

  void ListenForAll() override;
  void ListenForCheck();
  void ListenForWatch();

  Response::ServingStatus StatusOf(const std::string& service_name) const HALLMARK_REQUIRES(mu_);
  void Add(const std::shared_ptr<Watch>& watcher) HALLMARK_EXCLUDES(mu_);
  void Remove(const std::shared_ptr<Watch>& watcher) HALLMARK_EXCLUDES(mu_);

  Service service_;
  ConnectionQuota quota_{kMaxWatchesPerConnection};
  // Taken before the mutex of a watch, never after.
  Mutex mu_;
  std::map<std::string, bool> serving_ HALLMARK_GUARDED_BY(mu_);
  std::set<std::shared_ptr<Watch>> watchers_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark::grpc_front
