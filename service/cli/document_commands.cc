#include "service/cli/document_commands.h"

#include "service/cli/completion.h"
#include "service/cli/examples.h"
#include "service/cli/manual.h"

#include <iostream>
#include <memory>

namespace hallmark::cli {

void AddDocumentCommands(CLI::App& root, const std::string& version, Commands& commands) {
  const auto choice = std::make_shared<std::string>();
  CLI::App* completion = root.add_subcommand(
      "completion", "Prints a script that completes verbs, flags, names and files in a shell");
  completion->group("Other")->footer(ExampleOf("completion"));
  const std::vector<std::string> shells{"bash", "zsh", "fish"};
  CLI::Option* shell = completion->add_option("SHELL", *choice, "bash, zsh or fish");
  shell->required()->check(CLI::IsMember(shells))->type_name("");
  commands.choices[shell] = shells;
  commands.list.push_back({completion, [choice, &root, &commands] {
                             std::cout << (*choice == "bash"  ? BashCompletion(root, commands)
                                           : *choice == "zsh" ? ZshCompletion(root, commands)
                                                              : FishCompletion(root, commands));
                             return ExitCode::kSuccess;
                           }});

  // Hidden: it is for the build, which installs what it prints.
  CLI::App* man = root.add_subcommand("man", "Prints a manual page: hallmark or hallmarkd");
  man->group("");
  const std::vector<std::string> pages{"hallmark", "hallmarkd"};
  man->add_option("PAGE", *choice, "hallmark or hallmarkd")
      ->required()
      ->check(CLI::IsMember(pages));
  commands.list.push_back({man, [choice, version, &root] {
                             std::cout << (*choice == "hallmark" ? ClientManual(root, version)
                                                                 : DaemonManual(version));
                             return ExitCode::kSuccess;
                           }});
}

}  // namespace hallmark::cli
