// What a subcommand is to main.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <map>
#include <string>
#include <utility>
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

struct Commands {
  std::vector<Command> list;
  // The words that an option takes, where only some are right: for completion.
  std::map<const CLI::Option*, std::vector<std::string>> choices;
};

// Type names that say what else completion may offer.
inline constexpr const char* kFileType = "FILE";
inline constexpr const char* kFolderType = "FOLDER";
inline constexpr const char* kBlobType = "BLOB";  // base64, fileb://PATH or file://PATH

}  // namespace hallmark::cli
