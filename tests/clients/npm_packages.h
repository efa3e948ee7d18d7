// The packages of Node.js that clients need.
#pragma once

#include <filesystem>

namespace hallmark::testing {

// Installs what `source`/package-lock.json names into `folder`, which is replaced. Once per
// version: what is there already stays. Without npm's registry this fails the test.
void InstallNpmPackages(const std::filesystem::path& source, const std::filesystem::path& folder);

}  // namespace hallmark::testing
