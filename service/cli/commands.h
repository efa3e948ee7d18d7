// What a subcommand is to main.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <vector>

namespace hallmark::cli {

// As the AWS CLI's.
enum class ExitCode {
  kSuccess = 0,
  kUsage = 252,
  kRefused = 254,  // the service answered with an exception
  kFailed = 255,   // anything else
};

// Runs after the command line was read, if `app` was named on it.
struct Command {
  CLI::App* app;
  std::function<ExitCode()> run;
};
using Commands = std::vector<Command>;

}  // namespace hallmark::cli
