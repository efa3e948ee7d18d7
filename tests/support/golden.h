// Committed files that programs make.
#pragma once

#include <filesystem>
#include <string>

namespace hallmark::testing {

// Expects the file to hold exactly `text`; with HALLMARK_UPDATE_GOLDEN=1 in the environment, makes
// it so instead.
void ExpectGolden(const std::filesystem::path& file, const std::string& text);

}  // namespace hallmark::testing
