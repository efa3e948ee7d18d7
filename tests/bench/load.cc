// Keeps a fixed number of GenerateMac calls under way and measures how they are answered.
//
// Client and server share the processors, so the client is kept cheap: one thread, the request
// serialized once, answers compared as bytes instead of parsed.
#include "hallmark/v1/kms.pb.h"
#include "tests/bench/cpu_clock.h"

#include <CLI/CLI.hpp>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kMethod = "/hallmark.v1.KeyService/GenerateMac";
constexpr std::chrono::seconds kCallLimit{10};

struct Options {
  std::string target;
  std::string ca;
  std::string certificate;
  std::string private_key;
  std::string key_id = "alias/demo";
  std::size_t callers = 64;
  std::size_t channels = 4;
  double seconds = 10;
  double warm_up_seconds = 2;
  pid_t server_pid = 0;
};

Clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

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

// What was counted between the end of the warm-up and the end.
struct Tally {
  std::vector<std::uint32_t> latencies_us;
  std::map<std::string, std::size_t> errors;
};

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
    const Clock::time_point begin = Clock::now();
    const Clock::time_point measured_from = begin + Seconds(options_.warm_up_seconds);
    const Clock::time_point end = measured_from + Seconds(options_.seconds);
    for (std::size_t i = 0; i < callers_.size(); ++i) Start(i);

    std::optional<Sample> first;
    std::size_t running = callers_.size();
    void* tag = nullptr;
    bool ok = false;
    while (running > 0 && queue_.Next(&tag, &ok)) {
      const auto caller = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(tag));
      const Clock::time_point now = Clock::now();
      if (!first && now >= measured_from) first = TakeSample(now);
      if (!last_ && now >= end) last_ = TakeSample(now);
      Count(callers_[caller], now, first.has_value() && !last_);
      if (last_) {
        --running;
      } else {
        Start(caller);
      }
    }
    queue_.Shutdown();
    while (queue_.Next(&tag, &ok)) {
    }
    return Report(*first, *last_);
  }

 private:
  struct Caller {
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    grpc::ByteBuffer response;
    grpc::Status status;
    Clock::time_point started;
  };
  struct Sample {
    Clock::time_point time;
    std::chrono::nanoseconds server_cpu;
    std::chrono::nanoseconds client_cpu;
  };

  static grpc::ByteBuffer MakeRequest(const Options& options) {
    v1::GenerateMacRequest request;
    request.set_key_id(options.key_id);
    request.set_message(std::string(32, 'm'));
    request.set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
    return Serialized(request);
  }

  void Start(std::size_t index) {
    Caller& caller = callers_[index];
    caller.context.emplace();
    caller.context->set_deadline(std::chrono::system_clock::now() + kCallLimit);
    caller.started = Clock::now();
    caller.reader = stubs_[index % stubs_.size()]->PrepareUnaryCall(&*caller.context, kMethod,
                                                                    request_, &queue_);
    caller.reader->StartCall();
    caller.reader->Finish(&caller.response, &caller.status, reinterpret_cast<void*>(index));
  }

  Sample TakeSample(Clock::time_point now) const {
    return {now,
            options_.server_pid == 0 ? std::chrono::nanoseconds{0} : CpuTime(options_.server_pid),
            CpuTime(0)};
  }

  void Count(const Caller& caller, Clock::time_point now, bool measured) {
    // An error counts whenever it comes, a success when it was measured.
    if (!caller.status.ok()) {
      ++tally_.errors[std::to_string(caller.status.error_code()) + " " +
                      caller.status.error_message()];
    } else if (!IsRightAnswer(caller.response)) {
      ++tally_.errors["another MAC than the first answer's"];
    } else if (measured) {
      const auto latency =
          std::chrono::duration_cast<std::chrono::microseconds>(now - caller.started);
      tally_.latencies_us.push_back(static_cast<std::uint32_t>(latency.count()));
    }
  }

  // Every request is the same, so every answer is.
  bool IsRightAnswer(const grpc::ByteBuffer& response) {
    std::string answer = Flatten(response);
    if (first_answer_.empty()) {
      v1::GenerateMacResponse parsed;
      if (!parsed.ParseFromString(answer) || parsed.mac().size() != 32) return false;
      first_answer_ = std::move(answer);
      return true;
    }
    return answer == first_answer_;
  }

  nlohmann::json Report(const Sample& first, const Sample& last) {
    std::vector<std::uint32_t>& latencies = tally_.latencies_us;
    const auto macs = static_cast<double>(latencies.size());
    const std::chrono::duration<double> seconds = last.time - first.time;
    const auto per_mac = [macs](std::chrono::nanoseconds cpu) {
      return macs == 0 ? 0 : std::chrono::duration<double, std::micro>(cpu).count() / macs;
    };
    std::sort(latencies.begin(), latencies.end());
    const auto percentile = [&latencies](double share) -> std::uint32_t {
      if (latencies.empty()) return 0;
      const auto rank = static_cast<std::size_t>(share * static_cast<double>(latencies.size()));
      return latencies[std::min(rank, latencies.size() - 1)];
    };
    return {{"per_second", macs / seconds.count()},
            {"errors", tally_.errors},
            {"p50_us", percentile(0.5)},
            {"p90_us", percentile(0.9)},
            {"p99_us", percentile(0.99)},
            {"p999_us", percentile(0.999)},
            {"cpu_us", per_mac(last.server_cpu - first.server_cpu)},
            {"client_cpu_us", per_mac(last.client_cpu - first.client_cpu)}};
  }

  const Options options_;
  const grpc::ByteBuffer request_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::vector<Caller> callers_;
  std::optional<Sample> last_;
  std::string first_answer_;
  Tally tally_;
};

}  // namespace
}  // namespace hallmark::bench

int main(int argc, char** argv) {
  hallmark::bench::Options options;
  CLI::App app("Calls GenerateMac as fast as it is answered; prints JSON");
  app.add_option("--target", options.target, "host:port of the server")->required();
  app.add_option("--ca", options.ca, "PEM file of the server's CA")->required();
  app.add_option("--cert", options.certificate, "PEM file of the client's certificate")->required();
  app.add_option("--key", options.private_key, "PEM file of the client's private key")->required();
  app.add_option("--key-id", options.key_id, "Key that computes")->capture_default_str();
  app.add_option("--callers", options.callers, "Calls under way at once")->capture_default_str();
  app.add_option("--channels", options.channels, "Connections that carry them")
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "How long to measure")->capture_default_str();
  app.add_option("--warm-up", options.warm_up_seconds, "Seconds before that")
      ->capture_default_str();
  app.add_option("--server-pid", options.server_pid, "Process whose processor time is measured");
  CLI11_PARSE(app, argc, argv);
  std::puts(hallmark::bench::Load(options).Run().dump(2).c_str());
}
