// Keeps a fixed number of GenerateMac calls under way and measures how they are answered.
//
// Client and server share the processors, so the client is kept cheap: one thread, the request
// serialized once, answers compared as bytes instead of parsed.
#include "hallmark/v1/kms.pb.h"
#include "keystate/base64.h"
#include "tests/bench/load_report.h"

#include <CLI/CLI.hpp>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::bench {
namespace {

constexpr const char* kMethod = "/hallmark.v1.KeyService/GenerateMac";

struct Options : LoadOptions {
  std::string certificate;
  std::string private_key;
  std::size_t channels = 4;
};

std::string ReadFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

grpc::ByteBuffer Serialized(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

std::string Flatten(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (!buffer.TrySingleSlice(&slice).ok() && !buffer.DumpToSingleSlice(&slice).ok()) return {};
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

class Load {
 public:
  explicit Load(const Options& options) : options_(options), request_(MakeRequest(options)) {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, options.channels); ++i) {
      grpc::ChannelArguments arguments;
      // A connection for every channel.
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      stubs_.push_back(std::make_unique<grpc::GenericStub>(grpc::CreateCustomChannel(
          options.target,
          grpc::SslCredentials(
              {ReadFile(options.ca), ReadFile(options.private_key), ReadFile(options.certificate)}),
          arguments)));
    }
    callers_ = std::vector<Caller>(options.callers);
  }

  nlohmann::json Run() {
    Tally tally(options_);
    for (std::size_t i = 0; i < callers_.size(); ++i) Start(i);

    std::size_t running = callers_.size();
    void* tag = nullptr;
    bool ok = false;
    while (running > 0 && queue_.Next(&tag, &ok)) {
      const auto caller = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(tag));
      const LoadClock::time_point now = LoadClock::now();
      tally.Tick(now);
      Count(callers_[caller], now, &tally);
      if (tally.over()) {
        --running;
      } else {
        Start(caller);
      }
    }
    queue_.Shutdown();
    while (queue_.Next(&tag, &ok)) {
    }
    return tally.Report(EncodeBase64(mac_));
  }

 private:
  struct Caller {
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    grpc::ByteBuffer response;
    grpc::Status status;
    LoadClock::time_point started;
  };

  static grpc::ByteBuffer MakeRequest(const Options& options) {
    v1::GenerateMacRequest request;
    request.set_key_id(options.key_id);
    request.set_message(options.message());
    request.set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
    return Serialized(request);
  }

  void Start(std::size_t index) {
    Caller& caller = callers_[index];
    caller.context.emplace();
    caller.context->set_deadline(std::chrono::system_clock::now() + kCallLimit);
    caller.started = LoadClock::now();
    caller.reader = stubs_[index % stubs_.size()]->PrepareUnaryCall(&*caller.context, kMethod,
                                                                    request_, &queue_);
    caller.reader->StartCall();
    caller.reader->Finish(&caller.response, &caller.status, reinterpret_cast<void*>(index));
  }

  void Count(const Caller& caller, LoadClock::time_point now, Tally* tally) {
    if (!caller.status.ok()) {
      tally->CountError(std::to_string(caller.status.error_code()) + " " +
                        caller.status.error_message());
    } else if (!IsRightAnswer(caller.response)) {
      tally->CountError("another MAC than the first answer's");
    } else {
      tally->CountRight(caller.started, now);
    }
  }

  // Every request is the same, so every answer is.
  bool IsRightAnswer(const grpc::ByteBuffer& response) {
    std::string answer = Flatten(response);
    if (first_answer_.empty()) {
      v1::GenerateMacResponse parsed;
      if (!parsed.ParseFromString(answer) || parsed.mac().size() != 32) return false;
      first_answer_ = std::move(answer);
      mac_ = parsed.mac();
      return true;
    }
    return answer == first_answer_;
  }

  const Options options_;
  const grpc::ByteBuffer request_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::vector<Caller> callers_;
  std::string first_answer_;
  std::string mac_;  // of it
};

}  // namespace
}  // namespace hallmark::bench

int main(int argc, char** argv) {
  hallmark::bench::Options options;
  CLI::App app("Calls GenerateMac as fast as it is answered; prints JSON");
  hallmark::bench::AddLoadOptions(app, &options);
  app.add_option("--cert", options.certificate, "PEM file of the client's certificate")->required();
  app.add_option("--key", options.private_key, "PEM file of the client's private key")->required();
  app.add_option("--channels", options.channels, "Connections that carry them")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::puts(hallmark::bench::Load(options).Run().dump(2).c_str());
}
