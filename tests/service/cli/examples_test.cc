#include "service/cli/examples.h"

#include "hallmark/v1/kms.pb.h"
#include "service/cli/doctor_command.h"
#include "service/cli/document_commands.h"
#include "service/cli/operation_commands.h"
#include "service/cli/principal_commands.h"
#include "service/cli/token_commands.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace hallmark::cli {
namespace {

// The verb that the words lead to.
CLI::App* Find(CLI::App& root, const std::string& path) {
  CLI::App* verb = &root;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find(' ', begin), path.size());
    verb = verb->get_subcommand(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return verb;
}

TEST(ExamplesTest, EveryExampleIsACommandLineOfItsVerb) {
  for (const Example& example : Examples()) {
    SCOPED_TRACE(example.command_line);
    CLI::App root;
    Commands commands;
    std::filesystem::path home;
    root.add_option("--home", home);
    AddOperationCommands(
        root, *v1::GenerateMacRequest::descriptor()->file()->FindServiceByName("KeyService"),
        [](const auto&, const auto&, auto*) { return ExitCode::kSuccess; }, commands);
    AddPrincipalCommands(root, home, commands);
    AddTokenCommands(root, home, commands);
    const OutputFormat output = OutputFormat::kJson;
    AddDoctorCommand(root, home, output, commands);
    AddDocumentCommands(root, "0", commands);

    const std::string line(example.command_line.substr(0, example.command_line.find(" > ")));
    EXPECT_NO_THROW(root.parse(line, true));
    EXPECT_TRUE(Find(root, std::string(example.verb))->parsed());
  }
}

TEST(ExamplesTest, AVerbsExamplesEndItsHelp) {
  const std::string shown = ExampleOf("verify-mac");
  EXPECT_EQ(shown.substr(0, 11), "Examples:\n ");
  EXPECT_NE(shown.find("\\\n      --mac-algorithm "), std::string::npos) << shown;
  EXPECT_EQ(ExampleOf("no-such-verb"), "");
}

}  // namespace
}  // namespace hallmark::cli
