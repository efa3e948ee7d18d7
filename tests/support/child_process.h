// Real child processes.
#pragma once

#include "tests/support/temporary_directory.h"

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::testing {

// A running program; killed and reaped on destruction.
class ChildProcess {
 public:
  // Standard output and error go to files, so that nothing can block on a full pipe. `environment`
  // is added to our own ("NAME=value").
  ChildProcess(const std::vector<std::string>& arguments,
               const std::vector<std::string>& environment, const std::filesystem::path& output,
               const std::filesystem::path& errors);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int number) const;
  // Its exit code, or 128 + signal; nothing while it still runs when the time is over.
  std::optional<int> WaitFor(std::chrono::milliseconds at_most);

 private:
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

// What a program that ended said.
struct Finished {
  int exit_code;
  std::string output;
  std::string errors;
};

// Runs a program to its end, at most a minute.
Finished Run(const std::vector<std::string>& arguments,
             const std::vector<std::string>& environment = {});

std::string ReadFile(const std::filesystem::path& file);
// Replaces the file atomically.
void WriteFile(const std::filesystem::path& file, const std::string& text);

}  // namespace hallmark::testing
