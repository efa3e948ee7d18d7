// Completion scripts for shells, made from the command line itself.
#pragma once

#include "service/cli/commands.h"

#include <CLI/CLI.hpp>

#include <string>

namespace hallmark::cli {

// Each offers the verbs, the flags of the verb and of `root`, the words that a flag takes, and
// files. None needs anything but the shell.
std::string BashCompletion(const CLI::App& root, const Commands& commands);
std::string ZshCompletion(const CLI::App& root, const Commands& commands);
std::string FishCompletion(const CLI::App& root, const Commands& commands);

}  // namespace hallmark::cli
