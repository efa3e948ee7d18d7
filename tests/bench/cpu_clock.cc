#include "tests/bench/cpu_clock.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace hallmark::bench {

std::chrono::nanoseconds CpuTime(pid_t pid) {
  clockid_t clock{};
  std::timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    std::fprintf(stderr, "no processor time of process %d: has it ended?\n", static_cast<int>(pid));
    std::abort();
  }
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace hallmark::bench
