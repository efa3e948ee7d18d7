#include "tests/clients/npm_packages.h"

#include "tests/support/child_process.h"
#include "tests/support/temporary_directory.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

namespace hallmark::testing {

void InstallNpmPackages(const std::filesystem::path& source, const std::filesystem::path& folder) {
  const std::string wanted = ReadFile(source / "package-lock.json");
  // npm marks a finished installation by a lock file of its own, and the copy of ours says what was
  // installed.
  if (ReadFile(folder / "package-lock.json") == wanted &&
      std::filesystem::exists(folder / "node_modules/.package-lock.json")) {
    return;
  }
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  WriteFile(folder / "package.json", ReadFile(source / "package.json"));
  WriteFile(folder / "package-lock.json", wanted);

  const TemporaryDirectory said;
  const auto errors = said.path() / "errors";
  ChildProcess npm({"/usr/bin/npm", "ci", "--prefix", folder.string(), "--ignore-scripts",
                    "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000"},
                   {}, said.path() / "output", errors);
  // Longer than other programs get: one of the packages is Node.js itself.
  const std::optional<int> code = npm.WaitFor(std::chrono::minutes(4));
  ASSERT_EQ(code.value_or(-1), 0) << "npm cannot install the packages of "
                                  << (source / "package-lock.json").string()
                                  << "; is its registry within reach?\n"
                                  << ReadFile(errors);
}

}  // namespace hallmark::testing
