// What every load is told and what it reports, so that their figures can be compared.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::bench {

using LoadClock = std::chrono::steady_clock;

struct LoadOptions {
  std::string target;
  std::string ca;
  std::string key_id = "alias/demo";
  std::size_t message_bytes = 32;
  std::size_t callers = 64;

  std::string message() const { return std::string(message_bytes, 'm'); }

  double seconds = 10;
  double warm_up_seconds = 2;
  pid_t server_pid = 0;
};

void AddLoadOptions(CLI::App& app, LoadOptions* options);

// An answer that takes longer is none.
inline constexpr std::chrono::seconds kCallLimit{10};

// Counts what is answered between the end of the warm-up and the end.
class Tally {
 public:
  // The warm-up begins.
  explicit Tally(const LoadOptions& options);

  // Before what came `now` is counted: the time of the measurement may have begun, or be over.
  void Tick(LoadClock::time_point now);
  bool over() const { return last_.has_value(); }

  void CountRight(LoadClock::time_point started, LoadClock::time_point now);
  // Counts whenever it comes.
  void CountError(const std::string& text) { ++errors_[text]; }

  // `mac` is what the calls were answered with, in base64.
  nlohmann::json Report(const std::string& mac);

 private:
  struct Sample {
    LoadClock::time_point time;
    std::chrono::nanoseconds server_cpu;
    std::chrono::nanoseconds client_cpu;
  };
  Sample TakeSample(LoadClock::time_point now) const;
  std::uint32_t Percentile(double share) const;

  const pid_t server_pid_;
  const LoadClock::time_point measured_from_;
  const LoadClock::time_point end_;
  std::optional<Sample> first_;
  std::optional<Sample> last_;
  std::vector<std::uint32_t> latencies_us_;
  std::map<std::string, std::size_t> errors_;
};

}  // namespace hallmark::bench
