// `hallmark principal add|list|show|rotate|remove|attach-policy|detach-policy|tag|untag`.
#pragma once

#include "service/cli/commands.h"

#include <CLI/CLI.hpp>

#include <filesystem>

namespace hallmark::cli {

// `home` is where --home puts its value; read when a command runs.
void AddPrincipalCommands(CLI::App& root, const std::filesystem::path& home, Commands& commands);

}  // namespace hallmark::cli
