// How `--help` looks: the flag on a line of its own, what it does below.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace hallmark::cli {

class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* app) const override;
  std::string make_footer(const CLI::App* app) const override;
};

// "--message BLOB", "--dry-run, --no-dry-run", "-h, --help": the flag with what it takes.
std::string Synopsis(const CLI::Option& option);

// What follows the option, "BLOB"; empty for one that is only set.
std::string TypeOf(const CLI::Option& option);

// What a user may see of `app`: without the verbs and flags that are in no group.
std::vector<const CLI::App*> VisibleCommands(const CLI::App& app);
std::vector<const CLI::Option*> VisibleOptions(const CLI::App& app);

}  // namespace hallmark::cli
