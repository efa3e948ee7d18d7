// `hallmark token init|orphans`.
#pragma once

#include "service/cli/commands.h"

#include <CLI/CLI.hpp>

#include <filesystem>

namespace hallmark::cli {

// `home` is where --home puts its value; read when a command runs.
void AddTokenCommands(CLI::App& root, const std::filesystem::path& home, Commands& commands);

}  // namespace hallmark::cli
