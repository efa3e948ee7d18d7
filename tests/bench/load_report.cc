#include "tests/bench/load_report.h"

#include "tests/bench/cpu_clock.h"

#include <algorithm>

namespace hallmark::bench {
namespace {

LoadClock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<LoadClock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

void AddLoadOptions(CLI::App& app, LoadOptions* options) {
  app.add_option("--target", options->target, "host:port of the server")->required();
  app.add_option("--ca", options->ca, "PEM file of the server's CA")->required();
  app.add_option("--key-id", options->key_id, "Key that computes")->capture_default_str();
  app.add_option("--message-bytes", options->message_bytes, "Length of the message")
      ->capture_default_str();
  app.add_option("--callers", options->callers, "Calls under way at once")->capture_default_str();
  app.add_option("--seconds", options->seconds, "How long to measure")->capture_default_str();
  app.add_option("--warm-up", options->warm_up_seconds, "Seconds before that")
      ->capture_default_str();
  app.add_option("--server-pid", options->server_pid, "Process whose processor time is measured");
}

Tally::Tally(const LoadOptions& options)
    : server_pid_(options.server_pid),
      measured_from_(LoadClock::now() + Seconds(options.warm_up_seconds)),
      end_(measured_from_ + Seconds(options.seconds)) {}

void Tally::Tick(LoadClock::time_point now) {
  if (!first_ && now >= measured_from_) first_ = TakeSample(now);
  if (!last_ && now >= end_) last_ = TakeSample(now);
}

void Tally::CountRight(LoadClock::time_point started, LoadClock::time_point now) {
  if (!first_ || last_) return;
  const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(now - started);
  latencies_us_.push_back(static_cast<std::uint32_t>(latency.count()));
}

Tally::Sample Tally::TakeSample(LoadClock::time_point now) const {
  return {now, server_pid_ == 0 ? std::chrono::nanoseconds{0} : CpuTime(server_pid_), CpuTime(0)};
}

std::uint32_t Tally::Percentile(double share) const {
  if (latencies_us_.empty()) return 0;
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(latencies_us_.size()));
  return latencies_us_[std::min(rank, latencies_us_.size() - 1)];
}

nlohmann::json Tally::Report(const std::string& mac) {
  Tick(LoadClock::now());
  const Sample first = first_.value_or(TakeSample(measured_from_));
  const Sample last = last_.value_or(TakeSample(end_));
  const auto macs = static_cast<double>(latencies_us_.size());
  const std::chrono::duration<double> seconds = last.time - first.time;
  const auto per_mac = [macs](std::chrono::nanoseconds cpu) {
    return macs == 0 ? 0 : std::chrono::duration<double, std::micro>(cpu).count() / macs;
  };
  std::sort(latencies_us_.begin(), latencies_us_.end());
  return {{"per_second", macs / seconds.count()},
          {"errors", errors_},
          {"mac", mac},
          {"p50_us", Percentile(0.5)},
          {"p90_us", Percentile(0.9)},
          {"p99_us", Percentile(0.99)},
          {"p999_us", Percentile(0.999)},
          {"cpu_us", per_mac(last.server_cpu - first.server_cpu)},
          {"client_cpu_us", per_mac(last.client_cpu - first.client_cpu)}};
}

}  // namespace hallmark::bench
