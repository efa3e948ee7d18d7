// `hallmark completion` and `hallmark man`: documents made from the command line itself.
#pragma once

#include "service/cli/commands.h"

#include <CLI/CLI.hpp>

#include <string>

namespace hallmark::cli {

// `root` and `commands` are read when a command runs.
void AddDocumentCommands(CLI::App& root, const std::string& version, Commands& commands);

}  // namespace hallmark::cli
