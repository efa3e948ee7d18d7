// `hallmark doctor`: what the tokens of the configuration can do, and whether they keep their keys.
#pragma once

#include "service/cli/commands.h"
#include "service/cli/render.h"

#include <filesystem>

namespace hallmark::cli {

// `output` is read when the command runs; kJson counts only where --output was given.
void AddDoctorCommand(CLI::App& root, const std::filesystem::path& home, const OutputFormat& output,
                      Commands& commands);

}  // namespace hallmark::cli
