// Processor time of processes.
#pragma once

#include <sys/types.h>

#include <chrono>

namespace hallmark::bench {

// What the process has used so far, user and system together, with all its threads: the figure of
// /proc/PID/stat, but finer. 0 is this process. Aborts if there is no such process.
std::chrono::nanoseconds CpuTime(pid_t pid);

}  // namespace hallmark::bench
