#include "service/cli/doctor_command.h"

#include "pkcs11/doctor/doctor.h"
#include "service/cli/diagnosis_text.h"
#include "service/cli/examples.h"
#include "service/cli/home.h"
#include "service/cli/report.h"
#include "service/system/system.h"

#include <sys/stat.h>

#include <iostream>
#include <memory>
#include <string>

namespace hallmark::cli {
namespace {

struct Flags {
  std::string token;
  int rate_ms = 500;
};

// Where a refused PIN is remembered: before the first `token init` it is not there yet. What keeps
// it from being made keeps the PIN from being tried, too, and is told then.
void MakeStateDirectory(const pkcs11::TokenOptions& token) {
  static_cast<void>(::mkdir(token.state_directory.c_str(), S_IRWXU));
}

// Every token is examined, whatever becomes of the others.
ExitCode ExamineTokens(const Home& home, const Flags& flags, bool as_json) {
  service::OsRandom random;
  pkcs11::ExaminationOptions options;
  options.rate_time = std::chrono::milliseconds(flags.rate_ms);
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
  ExitCode code = ExitCode::kSuccess;
  bool meant_any = false;
  for (const pkcs11::TokenOptions& token : home.config.tokens) {
    if (!flags.token.empty() && flags.token != token.token_id) continue;
    meant_any = true;
    MakeStateDirectory(token);
    const auto diagnosis = pkcs11::Examine(token, random, options);
    if (!diagnosis) {
      code = Report("token." + token.token_id + ": " + diagnosis.error().message);
      continue;
    }
    if (!diagnosis->healthy()) code = ExitCode::kFailed;
    if (as_json) {
      tokens.push_back(ToJson(token.token_id, *diagnosis));
    } else {
      std::cout << DescribeDiagnosis(token.token_id, *diagnosis);
    }
  }
  if (!meant_any) {
    return Report("there is no section [token." + flags.token + "] in the configuration");
  }
  if (as_json) std::cout << nlohmann::ordered_json{{"Tokens", tokens}}.dump(4) << '\n';
  return code;
}

}  // namespace

void AddDoctorCommand(CLI::App& root, const std::filesystem::path& home, const OutputFormat& output,
                      Commands& commands) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* doctor = root.add_subcommand(
      "doctor",
      "Examines the tokens of the configuration by using them: which keys they make, whether their "
      "MACs are right, whether they let keys out, how fast they are. It calls their drivers "
      "itself, "
      "beside a daemon too, and destroys the keys it makes; one that is left by an examination "
      "that "
      "was killed is called 'hallmark doctor'. Fails if a token does. For people, or with --output "
      "json.");
  doctor->group("Administration")->fallthrough()->footer(ExampleOf("doctor"));
  doctor->add_option("--token", flags->token, "Only this one, by its id in the configuration")
      ->type_name("ID");
  doctor
      ->add_option("--rate-ms", flags->rate_ms,
                   "How long each of the two rates is measured: 1 to 60000 ms, default 500")
      ->check(CLI::Range(1, 60'000))
      ->type_name("MS");
  commands.list.push_back({doctor, [flags, &root, &home, &output] {
                             const auto opened = OpenHome(home);
                             if (!opened) return Report(opened.error());
                             const bool as_json = root.get_option("--output")->count() > 0 &&
                                                  output == OutputFormat::kJson;
                             return ExamineTokens(*opened, *flags, as_json);
                           }});
}

}  // namespace hallmark::cli
