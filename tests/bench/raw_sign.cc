// The raw loop: how many MACs one thread of one process gets from the token.
#include "tests/bench/bench_key.h"
#include "tests/bench/cpu_clock.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <cstdio>

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  double seconds = 5;
  CLI::App app("C_SignInit and C_Sign in a loop; prints JSON");
  app.add_option("--seconds", seconds, "How long to measure")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const hallmark::bench::BenchKey key;
  hallmark::bench::BenchSession session(key);
  const std::array<std::byte, 32> message{};

  constexpr int kWarmUpMacs = 1000;
  for (int i = 0; i < kWarmUpMacs; ++i) static_cast<void>(session.Sign(message));
  const auto cpu_before = hallmark::bench::CpuTime(0);
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::size_t macs = 0;
  for (; Clock::now() < end; ++macs) static_cast<void>(session.Sign(message));
  const std::chrono::duration<double> took = Clock::now() - start;
  const std::chrono::duration<double, std::micro> cpu = hallmark::bench::CpuTime(0) - cpu_before;

  const nlohmann::json result{{"per_second", static_cast<double>(macs) / took.count()},
                              {"cpu_us", cpu.count() / static_cast<double>(macs)}};
  std::puts(result.dump().c_str());
}
