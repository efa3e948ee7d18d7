// What it costs to call a token in processes of its own: the same MACs, the same token, in turns.
#include "keystate/hsm.h"
#include "tests/support/softhsm_token.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

template <class T, class E>
T Require(Result<T, E> result, const char* what) {
  if (result.has_value()) return *std::move(result);
  std::fprintf(stderr, "%s failed\n", what);
  std::exit(EXIT_FAILURE);
}

class Task final : public MacTask {
 public:
  explicit Task(const MacKey& key) : key_(key) {}

  ByteView message() const override { return message_; }
  SteadyTime deadline() const override { return deadline_; }
  bool abandoned() const override { return false; }
  bool may_compute_here() const override { return true; }
  Result<MacKey> Admit() override { return key_; }
  void Finish(Result<MacTag> tag) override {
    static_cast<void>(Require(std::move(tag), "a MAC"));
    finished_.release();
  }
  void Wait() { finished_.acquire(); }

 private:
  const MacKey key_;
  const std::array<std::byte, 32> message_{};
  const SteadyTime deadline_ = Clock::now() + std::chrono::seconds(30);
  std::binary_semaphore finished_{0};
};

double MacsPerSecond(Hsm& hsm, const MacKey& key, int callers, Seconds seconds) {
  std::atomic<std::size_t> macs{0};
  const auto start = Clock::now();
  const auto end = start + std::chrono::duration_cast<Clock::duration>(seconds);
  {
    std::vector<std::jthread> threads;
    threads.reserve(static_cast<std::size_t>(callers));
    for (int caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&] {
        while (Clock::now() < end) {
          const auto task = std::make_shared<Task>(key);
          hsm.ComputeMac(task);
          task->Wait();
          ++macs;
        }
      });
    }
  }
  return static_cast<double>(macs) / Seconds(Clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Compare(Seconds seconds, int rounds) {
  const testing::SoftHsmToken token;
  service::OsRandom random;
  pkcs11::TokenOptions options = token.options();
  const TokenRecord anchor = Require(pkcs11::InitToken(options, random), "InitToken");
  const auto here = Require(pkcs11::Open(options, anchor, random, {}), "Open");
  CkaId id{};
  random.Fill(id);
  const SteadyTime soon = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const GeneratedKey made =
      Require(here.hsm->GenerateKey(id, KeySpec::kHmac256, soon), "GenerateKey");
  const MacKey key{id, KeySpec::kHmac256, made.check_value};
  options.hosts = 2;
  const auto hosted = Require(pkcs11::Open(options, anchor, random, {}), "Open with hosts");

  std::puts("callers   in process/s   two hosts/s   ratio");
  for (const int callers : {1, 2, 4, 16}) {
    std::vector<double> in_process;
    std::vector<double> by_hosts;
    std::vector<double> ratios;
    for (int round = 0; round < rounds; ++round) {
      in_process.push_back(MacsPerSecond(*here.hsm, key, callers, seconds));
      by_hosts.push_back(MacsPerSecond(*hosted.hsm, key, callers, seconds));
      ratios.push_back(by_hosts.back() / in_process.back());
    }
    std::printf("%7d %14.0f %13.0f %7.2f\n", callers, Median(in_process), Median(by_hosts),
                Median(ratios));
  }
}

}  // namespace
}  // namespace hallmark::bench

int main(int argc, char** argv) {
  double seconds = 1;
  int rounds = 7;
  try {
    CLI::App app("MACs per second of a token that is called by two hosts, and of one called here");
    app.add_option("--seconds", seconds, "Of each measurement")->capture_default_str();
    app.add_option("--rounds", rounds, "Medians are of so many")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    hallmark::bench::Compare(hallmark::bench::Seconds(seconds), rounds);
  } catch (const std::exception& thrown) {
    static_cast<void>(std::fprintf(stderr, "%s\n", thrown.what()));
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
