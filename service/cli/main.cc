// `hallmark`: the KMS operations, and administration of a daemon, on the command line.

#include "hallmark/v1/kms.pb.h"
#include "service/cli/checksums.h"
#include "service/cli/client.h"
#include "service/cli/commands.h"
#include "service/cli/doctor_command.h"
#include "service/cli/document_commands.h"
#include "service/cli/help.h"
#include "service/cli/operation_commands.h"
#include "service/cli/principal_commands.h"
#include "service/cli/render.h"
#include "service/cli/report.h"
#include "service/cli/sweeper_commands.h"
#include "service/cli/token_commands.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>

namespace hallmark::cli {
namespace {

struct Options {
  Connection connection;
  std::filesystem::path home;
  OutputFormat output = OutputFormat::kJson;
  int timeout_seconds = 10;
  bool debug = false;
};

void AddGlobalOptions(CLI::App& root, Options& options, Commands& commands) {
  const std::map<std::string, OutputFormat> formats{{"json", OutputFormat::kJson},
                                                    {"text", OutputFormat::kText},
                                                    {"table", OutputFormat::kTable}};
  CLI::Option* output = root.add_option("--output", options.output,
                                        "How to print the answer: json (default), text "
                                        "or table")
                            ->transform(CLI::Transformer(formats))
                            ->type_name("FORMAT");
  commands.choices[output] = {"json", "text", "table"};
  root.add_option("--target", options.connection.target, "Where the service is, host:port")
      ->envname("HALLMARK_TARGET")
      ->type_name("ADDRESS");
  root.add_option("--ca", options.connection.ca,
                  "PEM file with the certificates that the server's must chain to")
      ->envname("HALLMARK_CA")
      ->type_name(kFileType);
  root.add_option("--cert", options.connection.certificate, "PEM file with the client certificate")
      ->envname("HALLMARK_CERT")
      ->type_name(kFileType);
  root.add_option("--key", options.connection.private_key, "PEM file with its private key")
      ->envname("HALLMARK_KEY")
      ->type_name(kFileType);
  root.add_option("--timeout", options.timeout_seconds,
                  "How long to wait for the answer: 1 to 3600 seconds, default 10")
      ->check(CLI::Range(1, 3600))
      ->type_name("SECONDS");
  root.add_option("--home", options.home,
                  "Folder with hallmarkd.toml, for administration (default ~/.hallmark)")
      ->envname("HALLMARK_HOME")
      ->type_name(kFolderType);
  root.add_flag("--debug", options.debug,
                "Also print the members that KMS does not have and, with a refusal, the id of the "
                "request");
}

ExitCode RunOperation(const Options& options, const google::protobuf::MethodDescriptor& method,
                      const google::protobuf::Message& request, google::protobuf::Message* answer) {
  const auto channel = OpenTlsChannel(options.connection);
  if (!channel) return Report(channel.error(), method.name());
  const auto called = Call(*channel, options.connection.target, method, request, answer,
                           std::chrono::seconds(options.timeout_seconds));
  if (!called) {
    const ExitCode code = Report(called.error(), method.name());
    if (options.debug && !called.error().request_id.empty()) {
      std::cerr << "Request id: " << called.error().request_id << '\n';
    }
    return code;
  }
  if (const auto intact = CheckChecksums(*answer); !intact) return Report(intact.error());
  const Members members = options.debug ? Members::kAll : Members::kKms;
  std::cout << Render(ToKmsJson(*answer, members), method.name(), options.output);
  return ExitCode::kSuccess;
}

// The first word that is neither an option nor its value, where a verb should stand; empty: none.
std::string WordForVerb(const CLI::App& root, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with('-')) return word;
    const CLI::Option* const option = root.get_option_no_throw(word);
    if (option != nullptr && option->get_expected_min() > 0) ++i;
  }
  return {};
}

ExitCode UsageError(const CLI::App& root, const CLI::ParseError& error, int argc, char** argv) {
  std::string reason = error.what();
  std::string help = "hallmark --help";
  const auto parsed = root.get_subcommands();
  if (!parsed.empty()) {
    help = "hallmark " + parsed.front()->get_name() + " --help";
  } else if (const std::string word = WordForVerb(root, argc, argv); !word.empty()) {
    reason = "there is no verb '" + word + "'";
  }
  std::cerr << "hallmark: error: " << reason << "; see " << help << '\n';
  return ExitCode::kUsage;
}

ExitCode Main(int argc, char** argv) {
  CLI::App root("Calls Hallmark, a key service that computes MACs inside a PKCS#11 token.",
                "hallmark");
  root.set_version_flag("--version", "hallmark " HALLMARK_VERSION);
  root.require_subcommand(1);
  root.formatter(std::make_shared<HelpFormatter>());
  Options options;
  Commands commands;
  AddGlobalOptions(root, options, commands);
  const google::protobuf::ServiceDescriptor* service =
      v1::GenerateMacRequest::descriptor()->file()->FindServiceByName("KeyService");
  AddOperationCommands(
      root, *service,
      [&options](const auto& method, const auto& request, auto* answer) {
        return RunOperation(options, method, request, answer);
      },
      commands);
  AddPrincipalCommands(root, options.home, commands);
  AddTokenCommands(root, options.home, commands);
  AddSweeperCommands(root, options.home, commands);
  AddDoctorCommand(root, options.home, options.output, commands);
  AddDocumentCommands(root, HALLMARK_VERSION, commands);
  // Last, since a verb made later would have it too.
  root.footer(
      "Verbs and flags are those of `aws kms`. `hallmark VERB --help` explains one; the\noptions "
      "above stand before or after the verb.");

  try {
    root.parse(argc, argv);
  } catch (const CLI::Success& asked_for_help) {
    root.exit(asked_for_help);
    return ExitCode::kSuccess;
  } catch (const CLI::ParseError& error) {
    return UsageError(root, error, argc, argv);
  }
  for (const Command& command : commands.list) {
    if (!command.app->parsed()) continue;
    const ExitCode code = command.run();
    if (!std::cout.flush()) return Report(std::string("cannot write the answer"));
    return code;
  }
  return ExitCode::kUsage;
}

}  // namespace
}  // namespace hallmark::cli

int main(int argc, char** argv) {
  // gRPC's own log lines would stand beside our errors. Whoever sets the variable gets them.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  return static_cast<int>(hallmark::cli::Main(argc, argv));
}
