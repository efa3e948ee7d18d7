// The yardstick: the least that a gRPC server with mutual TLS must do to answer GenerateMac from a
// token. No callers are recognised, nothing is decided, nothing is logged.
#include "hallmark/v1/kms.grpc.pb.h"
#include "service/grpc/tls.h"
#include "service/net/tls_files.h"
#include "tests/bench/bench_key.h"

#include <CLI/CLI.hpp>
#include <absl/synchronization/mutex.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <signal.h>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::bench {
namespace {

// More than any load has outstanding on one queue.
constexpr int kCallsPerQueue = 256;

struct Call {
  grpc::ServerContext context;
  grpc::ServerAsyncResponseWriter<v1::GenerateMacResponse> writer{&context};
};

// A place for one call, used again and again.
class Slot {
 public:
  Slot(v1::KeyService::AsyncService& service, grpc::ServerCompletionQueue& queue)
      : service_(service), queue_(queue) {
    Listen();
  }

  void Proceed(BenchSession& session) {
    if (answered_) {
      Listen();
      return;
    }
    const MacTag tag = session.Sign(AsBytes(request_.message()));
    response_.set_mac(tag.bytes().data(), tag.bytes().size());
    answered_ = true;
    call_->writer.Finish(response_, grpc::Status::OK, this);
  }

 private:
  void Listen() {
    answered_ = false;
    call_.emplace();
    service_.RequestGenerateMac(&call_->context, &request_, &call_->writer, &queue_, &queue_, this);
  }

  v1::KeyService::AsyncService& service_;
  grpc::ServerCompletionQueue& queue_;
  bool answered_ = false;
  std::optional<Call> call_;
  v1::GenerateMacRequest request_;
  v1::GenerateMacResponse response_;
};

// Completes calls of the queue, with a session of the thread's own, until the queue ends.
void Serve(grpc::ServerCompletionQueue& queue, const BenchKey& key) {
  BenchSession session(key);
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    if (ok) static_cast<Slot*>(tag)->Proceed(session);
  }
}

struct Options {
  std::filesystem::path tls;
  std::size_t queues = 1;
  std::size_t threads_per_queue = 1;
};

int Run(const Options& options) {
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  sigaddset(&end, SIGINT);
  pthread_sigmask(SIG_BLOCK, &end, nullptr);  // before there are threads: all of them inherit it

  // As hallmarkd does; see service/grpc/grpc_server.cc.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  grpc_front::RestrictTlsToVersion13();
  auto tls = net::ReadTlsFiles(
      {options.tls / "server.pem", options.tls / "server.key", options.tls / "ca.pem"});
  if (!tls.has_value()) {
    std::fprintf(stderr, "%s\n", tls.error().c_str());
    return 1;
  }
  grpc::SslServerCredentialsOptions mutual_tls(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  mutual_tls.pem_root_certs = std::move(tls->client_ca);
  mutual_tls.pem_key_cert_pairs.push_back(
      {std::move(tls->private_key), std::move(tls->certificate_chain)});
  const BenchKey key;
  v1::KeyService::AsyncService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(mutual_tls), &port);
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (std::size_t i = 0; i < options.queues; ++i) {
    queues.push_back(builder.AddCompletionQueue());
  }
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::fputs("the server did not start\n", stderr);
    return 1;
  }

  std::vector<std::unique_ptr<Slot>> slots;
  std::vector<std::jthread> threads;
  for (const auto& queue : queues) {
    for (int i = 0; i < kCallsPerQueue; ++i) {
      slots.push_back(std::make_unique<Slot>(service, *queue));
    }
    for (std::size_t i = 0; i < options.threads_per_queue; ++i) {
      threads.emplace_back([&key, queue = queue.get()] { Serve(*queue, key); });
    }
  }
  std::printf("127.0.0.1:%d\n", port);
  std::fflush(stdout);

  int signal = 0;
  sigwait(&end, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  for (const auto& queue : queues) queue->Shutdown();
  return 0;
}

}  // namespace
}  // namespace hallmark::bench

int main(int argc, char** argv) {
  hallmark::bench::Options options;
  CLI::App app("A bare gRPC server for GenerateMac; prints its address, serves until SIGTERM");
  app.add_option("--tls", options.tls, "Folder of server.pem, server.key and ca.pem")->required();
  app.add_option("--queues", options.queues, "Completion queues")->capture_default_str();
  app.add_option("--threads", options.threads_per_queue, "Threads per completion queue")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return hallmark::bench::Run(options);
}
