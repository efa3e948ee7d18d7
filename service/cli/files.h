// Files, with errors fit to be shown.
#pragma once

#include "keystate/result.h"

#include <filesystem>
#include <string>

namespace hallmark::cli {

// The error is one line with the path and the reason.
Result<std::string, std::string> ReadWholeFile(const std::filesystem::path& path);

// "cannot <what> '<path>': <reason of errno>"
std::string FileTrouble(const std::string& what, const std::filesystem::path& path);

}  // namespace hallmark::cli
