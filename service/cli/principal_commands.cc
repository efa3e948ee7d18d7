#include "service/cli/principal_commands.h"

#include "keystate/bytes.h"
#include "keystate/ids.h"
#include "service/cli/administration.h"
#include "service/cli/dev_ca.h"
#include "service/cli/files.h"
#include "service/cli/render.h"
#include "service/cli/report.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

namespace hallmark::cli {
namespace {

struct Flags {
  std::string arn;
  std::filesystem::path policy;
};

// "111122223333-user-Admin": tells files apart at a glance; the store alone knows whose they are.
std::string LabelFor(const PrincipalArn& arn) {
  const std::string& text = arn.text();
  std::string label(arn.account().text());
  label += "-" + text.substr(text.rfind(':') + 1);
  std::replace_if(
      label.begin(), label.end(),
      [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.'; }, '-');
  return label;
}

void Print(const nlohmann::ordered_json& answer) {
  std::cout << Render(answer, {}, OutputFormat::kJson);
}

ExitCode Add(const Home& home, const Flags& flags) {
  const auto arn = PrincipalArn::Parse(flags.arn, home.config.site);
  if (!arn) return Report("--arn: " + arn.error().message);
  v1::AddPrincipalRequest request;
  request.set_arn(flags.arn);
  if (!flags.policy.empty()) {
    auto policy = ReadWholeFile(flags.policy);
    if (!policy) return Report("--policy: " + policy.error());
    request.set_policy(*std::move(policy));
  }
  const auto certificate = IssueClientCertificate(home.tls_directory(), LabelFor(*arn));
  if (!certificate) return Report(certificate.error());
  request.set_certificate_fingerprint(ToHex(certificate->fingerprint));

  v1::AddPrincipalResponse response;
  if (const auto added = Administer(home, request, &response); !added) {
    RemoveFiles(*certificate);
    return Report(added.error(), "AddPrincipal");
  }
  nlohmann::ordered_json answer;
  answer["Arn"] = response.principal().arn();
  answer["AccessKeyId"] = response.access_key_id();
  answer["SecretAccessKey"] = response.secret_access_key();
  answer["CertificateFile"] = certificate->certificate_file.string();
  answer["PrivateKeyFile"] = certificate->private_key_file.string();
  Print(answer);
  return ExitCode::kSuccess;
}

ExitCode List(const Home& home, const Flags& /*flags*/) {
  v1::ListPrincipalsResponse response;
  const auto listed = Administer(home, v1::ListPrincipalsRequest(), &response);
  if (!listed) return Report(listed.error(), "ListPrincipals");
  Print(ToKmsJson(response));
  return ExitCode::kSuccess;
}

ExitCode Show(const Home& home, const Flags& flags) {
  v1::GetPrincipalRequest request;
  request.set_arn(flags.arn);
  v1::GetPrincipalResponse response;
  const auto found = Administer(home, request, &response);
  if (!found) return Report(found.error(), "GetPrincipal");
  Print(ToKmsJson(response));
  return ExitCode::kSuccess;
}

ExitCode Remove(const Home& home, const Flags& flags) {
  v1::RemovePrincipalRequest request;
  request.set_arn(flags.arn);
  v1::RemovePrincipalResponse response;
  const auto removed = Administer(home, request, &response);
  return removed ? ExitCode::kSuccess : Report(removed.error(), "RemovePrincipal");
}

}  // namespace

void AddPrincipalCommands(CLI::App& root, const std::filesystem::path& home, Commands& commands) {
  CLI::App* principal = root.add_subcommand("principal", "Who may call: add, list, show, remove");
  principal->group("Administration")->require_subcommand(1)->fallthrough();
  const auto flags = std::make_shared<Flags>();
  const auto add_command = [&](const char* name, const char* description,
                               ExitCode (*run)(const Home&, const Flags&)) {
    CLI::App* command = principal->add_subcommand(name, description);
    command->fallthrough();
    commands.push_back({command, [run, flags, &home] {
                          const auto opened = OpenHome(home);
                          return opened ? run(*opened, *flags) : Report(opened.error());
                        }});
    return command;
  };

  CLI::App* add = add_command(
      "add", "Register a principal, with a client certificate and an access key made for it", &Add);
  add->add_option("--policy", flags->policy,
                  "file with its IAM identity policy; without one it may do nothing");
  CLI::App* show = add_command("show", "Print one principal", &Show);
  CLI::App* remove = add_command(
      "remove", "End a principal with its certificates and access keys; files stay", &Remove);
  for (CLI::App* command : {add, show, remove}) {
    command->add_option("--arn", flags->arn, "for example arn:aws:iam::111122223333:user/Alice")
        ->required();
  }
  add_command("list", "Print every principal", &List);
}

}  // namespace hallmark::cli
