#include "service/cli/sweeper_commands.h"

#include "service/cli/administration.h"
#include "service/cli/render.h"
#include "service/cli/report.h"

#include <iostream>

namespace hallmark::cli {
namespace {

template <class Request, class Response>
ExitCode Ask(const Home& home, const char* method) {
  Response response;
  const auto answered = AskDaemon(home, method, Request(), &response);
  if (!answered) return Report(answered.error(), method);
  std::cout << Render(ToKmsJson(response.sweeper()), {}, OutputFormat::kJson);
  return ExitCode::kSuccess;
}

}  // namespace

void AddSweeperCommands(CLI::App& root, const std::filesystem::path& home, Commands& commands) {
  CLI::App* sweeper = root.add_subcommand(
      "sweeper", "What destroys keys whose waiting period is over: status, resume");
  sweeper->group("Administration")->require_subcommand(1)->fallthrough();
  const auto add_command = [&](const char* name, const char* description,
                               ExitCode (*run)(const Home&, const char*), const char* method) {
    CLI::App* command = sweeper->add_subcommand(name, description);
    command->group("Verbs")->fallthrough();
    commands.list.push_back({command, [run, method, &home] {
                               const auto opened = OpenHome(home);
                               return opened ? run(*opened, method) : Report(opened.error());
                             }});
  };
  add_command("status",
              "Tells whether it is halted, and how many keys wait for it. Needs the daemon.",
              &Ask<v1::GetSweeperRequest, v1::GetSweeperResponse>, "GetSweeper");
  add_command(
      "resume",
      "Lets it go on after the clock has jumped, or after the daemon was down for more than an "
      "hour. Run it only when the clock is right: keys past their date are destroyed.",
      &Ask<v1::ResumeSweeperRequest, v1::ResumeSweeperResponse>, "ResumeSweeper");
}

}  // namespace hallmark::cli
