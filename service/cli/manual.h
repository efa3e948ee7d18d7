// Manual pages, made from the text of `--help` and of the configuration's keys.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace hallmark::cli {

// hallmark(1): every verb and flag of `root`.
std::string ClientManual(const CLI::App& root, const std::string& version);
// hallmarkd(8): the daemon's flags, signals, exit codes and configuration.
std::string DaemonManual(const std::string& version);

}  // namespace hallmark::cli
