#include "service/cli/principal_commands.h"

#include "keystate/bytes.h"
#include "keystate/ids.h"
#include "proto/comments.h"
#include "service/cli/administration.h"
#include "service/cli/dev_ca.h"
#include "service/cli/examples.h"
#include "service/cli/files.h"
#include "service/cli/operation_commands.h"
#include "service/cli/render.h"
#include "service/cli/report.h"
#include "service/cli/secret_receipt.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::cli {
namespace {

struct Flags {
  std::string arn;
  std::filesystem::path policy;
  bool keep_old = false;
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

// Makes a certificate for the principal of `request` and asks for it to be registered.
template <class Response, class Request>
ExitCode IssueCredentials(const Home& home, const Flags& flags, Request request,
                          std::string_view operation) {
  const auto arn = PrincipalArn::Parse(flags.arn, home.config.site);
  if (!arn) return Report("--arn: " + arn.error().message);
  request.set_arn(flags.arn);
  const auto certificate = IssueClientCertificate(home.tls_directory(), LabelFor(*arn));
  if (!certificate) return Report(certificate.error());
  request.set_certificate_fingerprint(ToHex(certificate->fingerprint));
  const auto receipt = SecretReceipt::Make();
  if (!receipt) return Report(receipt.error());
  request.set_recipient_public_key(receipt->public_key());

  Response response;
  if (const auto registered = Administer(home, request, &response); !registered) {
    const std::string& exception = registered.error().exception;
    if (exception.empty() || exception == "DependencyTimeoutException") {
      // It may have been done all the same, and then these files are all there is.
      std::cerr << "hallmark: what became of the call is not known; see `hallmark principal show`. "
                   "The new certificate is kept: "
                << certificate->certificate_file.string() << '\n';
    } else {
      RemoveFiles(*certificate);
    }
    return Report(registered.error(), operation);
  }
  const auto secret = receipt->Open(response.encrypted_secret_access_key());
  if (!secret) return Report(secret.error());
  nlohmann::ordered_json answer;
  answer["Arn"] = response.principal().arn();
  answer["AccessKeyId"] = response.access_key_id();
  answer["SecretAccessKey"] = ToHex(AsBytes(*secret));
  answer["CertificateFile"] = certificate->certificate_file.string();
  answer["PrivateKeyFile"] = certificate->private_key_file.string();
  Print(answer);
  return ExitCode::kSuccess;
}

ExitCode Add(const Home& home, const Flags& flags) {
  v1::AddPrincipalRequest request;
  if (!flags.policy.empty()) {
    auto policy = ReadWholeFile(flags.policy);
    if (!policy) return Report("--policy: " + policy.error());
    request.set_policy(*std::move(policy));
  }
  return IssueCredentials<v1::AddPrincipalResponse>(home, flags, std::move(request),
                                                    "AddPrincipal");
}

ExitCode Rotate(const Home& home, const Flags& flags) {
  v1::RotatePrincipalRequest request;
  request.set_keep_old(flags.keep_old);
  return IssueCredentials<v1::RotatePrincipalResponse>(home, flags, std::move(request),
                                                       "RotatePrincipal");
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

ExitCode Explain(const Home& home, const BuildRequest& build) {
  v1::ExplainRequest request;
  if (const auto built = build(&request); !built) {
    std::cerr << "hallmark: error: " << built.error() << '\n';
    return ExitCode::kUsage;
  }
  v1::ExplainResponse response;
  const auto explained = AskDaemon(home, "Explain", request, &response);
  if (!explained) return Report(explained.error(), "Explain");
  Print(ToKmsJson(response));
  return ExitCode::kSuccess;
}

}  // namespace

void AddPrincipalCommands(CLI::App& root, const std::filesystem::path& home, Commands& commands) {
  CLI::App* principal =
      root.add_subcommand("principal", "Who may call, and by which certificates and access keys");
  principal->group("Administration")->require_subcommand(1)->fallthrough();
  const auto flags = std::make_shared<Flags>();
  // Described by the schema, and by what this program does on top.
  const auto add_command = [&](const char* name, const char* method, const std::string& here,
                               ExitCode (*run)(const Home&, const Flags&)) {
    const auto* service = v1::Principal::descriptor()->file()->FindServiceByName("AdminService");
    CLI::App* command = principal->add_subcommand(
        name, proto::CommentOf(*service->FindMethodByName(method)) + here);
    command->group("Verbs")->fallthrough()->footer(ExampleOf(std::string("principal ") + name));
    commands.list.push_back({command, [run, flags, &home] {
                               const auto opened = OpenHome(home);
                               return opened ? run(*opened, *flags) : Report(opened.error());
                             }});
    return command;
  };
  const auto comment_of = [](const google::protobuf::Descriptor* request, const char* field) {
    return proto::CommentOf(*request->FindFieldByName(field));
  };
  const std::string issued =
      " The certificate is made here, with tls/ca.pem and tls/ca.key of the home folder.";

  CLI::App* add = add_command("add", "AddPrincipal", issued, &Add);
  add->add_option(
         "--policy", flags->policy,
         comment_of(v1::AddPrincipalRequest::descriptor(), "policy") + "\nThe file that holds it.")
      ->type_name(kFileType);
  CLI::App* show = add_command("show", "GetPrincipal", "", &Show);
  CLI::App* rotate = add_command("rotate", "RotatePrincipal", issued, &Rotate);
  rotate->add_flag("--keep-old", flags->keep_old,
                   comment_of(v1::RotatePrincipalRequest::descriptor(), "keep_old"));
  CLI::App* remove = add_command("remove", "RemovePrincipal", " Files stay.", &Remove);
  for (CLI::App* command : {add, show, rotate, remove}) {
    command
        ->add_option("--arn", flags->arn,
                     "Its ARN, for example arn:aws:iam::111122223333:user/Alice")
        ->required()
        ->type_name("ARN");
  }
  add_command("list", "ListPrincipals", "", &List);

  const auto* service = v1::Principal::descriptor()->file()->FindServiceByName("AdminService");
  CLI::App* explain = principal->add_subcommand(
      "explain", proto::CommentOf(*service->FindMethodByName("Explain")) + " Needs the daemon.");
  explain->group("Verbs")->fallthrough()->footer(ExampleOf("principal explain"));
  const BuildRequest build = AddRequestFlags(*explain, *v1::ExplainRequest::descriptor(), commands);
  commands.list.push_back({explain, [build, &home] {
                             const auto opened = OpenHome(home);
                             return opened ? Explain(*opened, build) : Report(opened.error());
                           }});
}

}  // namespace hallmark::cli
