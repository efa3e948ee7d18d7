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
#include "service/cli/request_builder.h"
#include "service/cli/secret_receipt.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::cli {
namespace {

struct Flags {
  std::string arn;
  std::string policy;
  std::string spiffe_id;
  bool keep_old = false;
  bool permissions_boundary = false;
  std::vector<std::string> tags;
  std::vector<std::string> tag_keys;
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

ExitCode Misused(const UsageError& error) {
  std::cerr << "hallmark: error: " << error.message << '\n';
  return ExitCode::kUsage;
}

// What became of the certificate of a call that failed.
void KeepOrRemove(const ClientCertificate& certificate, const CallFailure& failure) {
  const std::string& exception = failure.exception;
  if (exception.empty() || exception == "DependencyTimeoutException" ||
      exception == "KMSInternalException") {
    // It may have been done all the same, and then these files are all there is.
    std::cerr << "hallmark: what became of the call is not known; see `hallmark principal show`. "
                 "The new certificate is kept: "
              << certificate.certificate_file.string() << '\n';
  } else {
    RemoveFiles(certificate);
  }
}

// Asks for credentials of the principal of `request` to be registered, with a certificate that is
// made here unless its own trust domain makes them.
template <class Response, class Request>
ExitCode IssueCredentials(const Home& home, const Flags& flags, bool with_certificate,
                          Request request, std::string_view operation) {
  const auto arn = PrincipalArn::Parse(flags.arn, home.config.site);
  if (!arn) return Misused({"--arn: " + arn.error().message});
  request.set_arn(flags.arn);
  std::optional<ClientCertificate> certificate;
  if (with_certificate) {
    auto issued = IssueClientCertificate(home.tls_directory(), LabelFor(*arn));
    if (!issued) return Report(issued.error());
    certificate = *std::move(issued);
    request.set_certificate_fingerprint(ToHex(certificate->fingerprint));
  }
  const auto receipt = SecretReceipt::Make();
  if (!receipt) return Report(receipt.error());
  request.set_recipient_public_key(receipt->public_key());

  Response response;
  if (const auto registered = Administer(home, request, &response); !registered) {
    if (certificate) KeepOrRemove(*certificate, registered.error());
    return Report(registered.error(), operation);
  }
  const auto secret = receipt->Open(response.encrypted_secret_access_key());
  if (!secret) return Report(secret.error());
  nlohmann::ordered_json answer;
  answer["Arn"] = response.principal().arn();
  answer["AccessKeyId"] = response.access_key_id();
  answer["SecretAccessKey"] = ToHex(AsBytes(*secret));
  if (certificate) {
    answer["CertificateFile"] = certificate->certificate_file.string();
    answer["PrivateKeyFile"] = certificate->private_key_file.string();
  } else {
    answer["SpiffeId"] = response.principal().spiffe_id();
  }
  Print(answer);
  return ExitCode::kSuccess;
}

// Sets the policy of `request` from the file that --policy names, if it does.
template <class Request>
Result<void, UsageError> ReadPolicy(const Flags& flags, Request* request) {
  if (flags.policy.empty()) return {};
  // As operations of KMS have files named, too.
  constexpr std::string_view kTextFile = "file://";
  std::string_view file = flags.policy;
  if (file.starts_with(kTextFile)) file.remove_prefix(kTextFile.size());
  auto policy = ReadWholeFile(file);
  if (!policy) return Unexpected(UsageError{"--policy: " + policy.error()});
  request->set_policy(*std::move(policy));
  return {};
}

ExitCode Add(const Home& home, const Flags& flags) {
  v1::AddPrincipalRequest request;
  if (const auto policy = ReadPolicy(flags, &request); !policy) return Misused(policy.error());
  if (!flags.spiffe_id.empty()) request.set_spiffe_id(flags.spiffe_id);
  return IssueCredentials<v1::AddPrincipalResponse>(home, flags, flags.spiffe_id.empty(),
                                                    std::move(request), "AddPrincipal");
}

ExitCode Rotate(const Home& home, const Flags& flags) {
  if (const auto arn = PrincipalArn::Parse(flags.arn, home.config.site); !arn) {
    return Misused({"--arn: " + arn.error().message});
  }
  // Who came by a SPIFFE id alone goes on so: a certificate of ours would be a second way in.
  v1::GetPrincipalRequest get;
  get.set_arn(flags.arn);
  v1::GetPrincipalResponse got;
  if (const auto found = Administer(home, get, &got); !found) {
    return Report(found.error(), "RotatePrincipal");
  }
  const bool with_certificate =
      got.principal().spiffe_id().empty() || got.principal().certificate_fingerprints_size() > 0;
  v1::RotatePrincipalRequest request;
  request.set_keep_old(flags.keep_old);
  return IssueCredentials<v1::RotatePrincipalResponse>(home, flags, with_certificate,
                                                       std::move(request), "RotatePrincipal");
}

// Asks, and prints the answer.
template <class Response, class Request>
ExitCode Ask(const Home& home, const Request& request, std::string_view operation) {
  Response response;
  const auto answered = Administer(home, request, &response);
  if (!answered) return Report(answered.error(), operation);
  Print(ToKmsJson(response));
  return ExitCode::kSuccess;
}

ExitCode List(const Home& home, const Flags& /*flags*/) {
  return Ask<v1::ListPrincipalsResponse>(home, v1::ListPrincipalsRequest(), "ListPrincipals");
}

ExitCode Show(const Home& home, const Flags& flags) {
  v1::GetPrincipalRequest request;
  request.set_arn(flags.arn);
  return Ask<v1::GetPrincipalResponse>(home, request, "GetPrincipal");
}

ExitCode Attach(const Home& home, const Flags& flags) {
  v1::AttachPolicyRequest request;
  request.set_arn(flags.arn);
  if (const auto policy = ReadPolicy(flags, &request); !policy) return Misused(policy.error());
  if (flags.permissions_boundary) request.set_permissions_boundary(true);
  return Ask<v1::AttachPolicyResponse>(home, request, "AttachPolicy");
}

ExitCode Detach(const Home& home, const Flags& flags) {
  v1::DetachPolicyRequest request;
  request.set_arn(flags.arn);
  if (flags.permissions_boundary) request.set_permissions_boundary(true);
  return Ask<v1::DetachPolicyResponse>(home, request, "DetachPolicy");
}

// Sets a list of the request as operations of KMS have theirs set.
template <class Request>
Result<void, UsageError> SetList(const char* field, const std::vector<std::string>& words,
                                 Request* request) {
  return SetField(*Request::descriptor()->FindFieldByName(field), words, request);
}

ExitCode Tag(const Home& home, const Flags& flags) {
  v1::TagPrincipalRequest request;
  request.set_arn(flags.arn);
  if (const auto set = SetList("tags", flags.tags, &request); !set) return Misused(set.error());
  return Ask<v1::TagPrincipalResponse>(home, request, "TagPrincipal");
}

ExitCode Untag(const Home& home, const Flags& flags) {
  v1::UntagPrincipalRequest request;
  request.set_arn(flags.arn);
  if (const auto set = SetList("tag_keys", flags.tag_keys, &request); !set) {
    return Misused(set.error());
  }
  return Ask<v1::UntagPrincipalResponse>(home, request, "UntagPrincipal");
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
  if (const auto built = build(&request); !built) return Misused(built.error());
  v1::ExplainResponse response;
  const auto explained = AskDaemon(home, "Explain", request, &response);
  if (!explained) return Report(explained.error(), "Explain");
  Print(ToKmsJson(response));
  return ExitCode::kSuccess;
}

}  // namespace

void AddPrincipalCommands(CLI::App& root, const std::filesystem::path& home, Commands& commands) {
  CLI::App* principal = root.add_subcommand(
      "principal", "Who may call, by which certificates and access keys, and what for");
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
      " The certificate is made here, with tls/ca.pem and tls/ca.key of the home folder; for a "
      "principal that comes by a SPIFFE id, none.";

  CLI::App* add = add_command("add", "AddPrincipal", issued, &Add);
  add->add_option(
         "--policy", flags->policy,
         comment_of(v1::AddPrincipalRequest::descriptor(), "policy") + "\nThe file that holds it.")
      ->type_name(kFileType);
  add->add_option("--spiffe-id", flags->spiffe_id,
                  comment_of(v1::AddPrincipalRequest::descriptor(), "spiffe_id") +
                      "\nNo certificate is made then.")
      ->type_name("SPIFFE-ID");
  CLI::App* show = add_command("show", "GetPrincipal", "", &Show);
  CLI::App* rotate = add_command("rotate", "RotatePrincipal", issued, &Rotate);
  rotate->add_flag("--keep-old", flags->keep_old,
                   comment_of(v1::RotatePrincipalRequest::descriptor(), "keep_old"));
  CLI::App* remove = add_command("remove", "RemovePrincipal", " Files stay.", &Remove);
  CLI::App* attach = add_command("attach-policy", "AttachPolicy", "", &Attach);
  attach
      ->add_option(
          "--policy", flags->policy,
          comment_of(v1::AttachPolicyRequest::descriptor(), "policy") + "\nThe file that holds it.")
      ->required()
      ->type_name(kFileType);
  CLI::App* detach = add_command("detach-policy", "DetachPolicy", "", &Detach);
  for (const auto& [command, request] :
       {std::pair{attach, v1::AttachPolicyRequest::descriptor()},
        std::pair{detach, v1::DetachPolicyRequest::descriptor()}}) {
    command->add_flag("--permissions-boundary", flags->permissions_boundary,
                      comment_of(request, "permissions_boundary"));
  }
  const auto add_list = [&](CLI::App* command, const char* name, std::vector<std::string>& words,
                            const std::string& help, const char* type) {
    command->add_option(name, words, help)
        ->required()
        ->type_name(type)
        ->expected(1, CLI::detail::expected_max_vector_size)
        ->allow_extra_args();
  };
  CLI::App* tag = add_command("tag", "TagPrincipal", "", &Tag);
  add_list(tag, "--tags", flags->tags, comment_of(v1::TagPrincipalRequest::descriptor(), "tags"),
           "Key=TEXT,Value=TEXT");
  CLI::App* untag = add_command("untag", "UntagPrincipal", "", &Untag);
  add_list(untag, "--tag-keys", flags->tag_keys,
           comment_of(v1::UntagPrincipalRequest::descriptor(), "tag_keys"), "TEXT");
  for (CLI::App* command : {add, show, rotate, remove, attach, detach, tag, untag}) {
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
