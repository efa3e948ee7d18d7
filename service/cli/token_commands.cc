#include "service/cli/token_commands.h"

#include "pkcs11/doctor/doctor.h"
#include "pkcs11/token_hsm.h"
#include "pkcs11/token_setup.h"
#include "service/cli/administration.h"
#include "service/cli/examples.h"
#include "service/cli/home.h"
#include "service/cli/render.h"
#include "service/cli/report.h"
#include "service/system/system.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::cli {
namespace {

struct Flags {
  // Empty: the token must have been initialised with the tools of its maker.
  std::filesystem::path so_pin_file;
  std::string token;
  std::string key_id;
  std::string cka_id;
};

// Keys in a token that lets them out are nobody's secret: a decision, not a default.
Result<void, std::string> RefuseWeak(const pkcs11::TokenOptions& token, RandomSource& random) {
  if (!token.accept_weak_token.empty()) return {};
  const auto diagnosis = pkcs11::ExamineEnforcement(token, random);
  if (!diagnosis) return Unexpected(diagnosis.error().message);
  if (!diagnosis->lets_keys_out()) return {};
  return Unexpected("token." + token.token_id +
                    " lets keys out to whoever may log in to it: see hallmark doctor, and take "
                    "another token or give the reason for this one as token." +
                    token.token_id + ".accept_weak_token");
}

Result<void, std::string> InitOne(KeyStore& store, const pkcs11::TokenOptions& token,
                                  const Flags& flags, RandomSource& random) {
  if (!flags.so_pin_file.empty()) {
    const auto formatted = pkcs11::FormatToken(token, flags.so_pin_file);
    if (!formatted) return Unexpected(formatted.error().message);
  }
  HALLMARK_RETURN_IF_ERROR(RefuseWeak(token, random));
  auto record = pkcs11::InitToken(token, random);
  if (!record) return Unexpected(record.error().message);
  const StoreWrite write = Put(*std::move(record));
  if (const auto committed = store.Commit({&write, 1}); !committed) {
    return Unexpected("the anchor was made, but not stored: " + ToString(committed.error()) +
                      ": run the command again");
  }
  return {};
}

ExitCode Init(const Home& home, const Flags& flags) {
  const std::vector<pkcs11::TokenOptions>& tokens = home.config.tokens;
  const auto is_meant = [&](const pkcs11::TokenOptions& token) {
    return flags.token.empty() || flags.token == token.token_id;
  };
  if (std::none_of(tokens.begin(), tokens.end(), is_meant)) {
    return Report("there is no section [token." + flags.token + "] in the configuration");
  }
  service::OsRandom random;
  const auto store = OpenStore(home, random);
  if (!store) return Report(store.error());
  const auto image = (*store)->Load();
  if (!image) return Report("cannot read the store: " + ToString(image.error()));
  for (const pkcs11::TokenOptions& token : tokens) {
    if (!is_meant(token)) continue;
    const bool known =
        std::any_of(image->tokens.begin(), image->tokens.end(),
                    [&](const TokenRecord& r) { return r.token_id == token.token_id; });
    if (known) {
      std::cout << "token." << token.token_id << " has its anchor already; nothing was changed\n";
      continue;
    }
    const auto made = InitOne(**store, token, flags, random);
    if (!made) return Report(made.error());
    std::cout << "token." << token.token_id << " has its anchor\n";
  }
  return ExitCode::kSuccess;
}

template <class Response, class Request>
ExitCode Ask(const Home& home, const char* method, const Request& request) {
  Response response;
  const auto answered = AskDaemon(home, method, request, &response);
  if (!answered) return Report(answered.error(), method);
  std::cout << Render(ToKmsJson(response), {}, OutputFormat::kJson);
  return ExitCode::kSuccess;
}

ExitCode Orphans(const Home& home, const Flags& /*flags*/) {
  return Ask<v1::ListOrphansResponse>(home, "ListOrphans", v1::ListOrphansRequest());
}

ExitCode List(const Home& home, const Flags& /*flags*/) {
  return Ask<v1::ListTokensResponse>(home, "ListTokens", v1::ListTokensRequest());
}

template <class Request>
Request About(const Flags& flags) {
  Request request;
  request.set_token(flags.token);
  return request;
}

ExitCode Show(const Home& home, const Flags& flags) {
  return Ask<v1::GetTokenResponse>(home, "GetToken", About<v1::GetTokenRequest>(flags));
}

ExitCode Drain(const Home& home, const Flags& flags) {
  return Ask<v1::DrainTokenResponse>(home, "DrainToken", About<v1::DrainTokenRequest>(flags));
}

ExitCode Resume(const Home& home, const Flags& flags) {
  return Ask<v1::ResumeTokenResponse>(home, "ResumeToken", About<v1::ResumeTokenRequest>(flags));
}

ExitCode Adopt(const Home& home, const Flags& flags) {
  auto request = About<v1::AdoptKeyRequest>(flags);
  request.set_key_id(flags.key_id);
  request.set_cka_id(flags.cka_id);
  return Ask<v1::AdoptKeyResponse>(home, "AdoptKey", request);
}

}  // namespace

void AddTokenCommands(CLI::App& root, const std::filesystem::path& home, Commands& commands) {
  CLI::App* token = root.add_subcommand(
      "token", "PKCS#11 tokens: their first set-up, what is on them, and taking them out of use");
  token->group("Administration")->require_subcommand(1)->fallthrough();
  const auto flags = std::make_shared<Flags>();
  const auto add_command = [&](const std::string& name, const std::string& description,
                               ExitCode (*run)(const Home&, const Flags&)) {
    CLI::App* command = token->add_subcommand(name, description);
    command->group("Verbs")->fallthrough()->footer(ExampleOf("token " + name));
    commands.list.push_back({command, [flags, run, &home] {
                               const auto opened = OpenHome(home);
                               return opened ? run(*opened, *flags) : Report(opened.error());
                             }});
    return command;
  };
  const auto add_token = [&](CLI::App* command, const char* description) {
    return command->add_option("--token", flags->token, description)->type_name("ID");
  };
  CLI::App* init = add_command(
      "init",
      "Makes the anchor keys by which the daemon knows its tokens, where they have none yet. Needs "
      "the daemon stopped; run again, it changes nothing.",
      &Init);
  init->add_option("--format-with-so-pin", flags->so_pin_file,
                   "File with the security officer's PIN: if the module has no token of that name "
                   "yet, initialise an empty one first")
      ->type_name(kFileType);
  add_token(init, "Only this one, by its id in the configuration");
  add_command("list", "Lists the tokens of the configuration. Needs the daemon.", &List);
  CLI::App* status = add_command(
      "status", "Shows one token: whether it serves, and how much it has to do. Needs the daemon.",
      &Show);
  CLI::App* drain = add_command(
      "drain",
      "Takes a token out of use, across restarts, until it is resumed: no call goes to it any more "
      "but those that it has. Keys that another token holds, too, are served from there; the "
      "others "
      "are unavailable. Needs the daemon.",
      &Drain);
  CLI::App* resume =
      add_command("resume", "Takes a drained token into use again. Needs the daemon.", &Resume);
  CLI::App* adopt = add_command(
      "adopt",
      "Makes a token another holder of a key, by an object there that has the same value, as the "
      "cloning of a token's maker leaves it. The object must be a secret key that makes MACs and "
      "cannot be read or taken out; it is never destroyed by Hallmark. Needs the daemon.",
      &Adopt);
  adopt->add_option("--key-id", flags->key_id, "The key: its id or its ARN")
      ->required()
      ->type_name("TEXT");
  adopt->add_option("--cka-id", flags->cka_id, "The object's CKA_ID, 16 bytes in hex")
      ->required()
      ->type_name("HEX");
  for (CLI::App* command : {status, drain, resume, adopt}) {
    add_token(command, "Its id in the configuration")->required();
  }
  add_command("orphans",
              "Lists the keys on the tokens that no record names: left alone, never used, never "
              "destroyed. Needs the daemon.",
              &Orphans);
}

}  // namespace hallmark::cli
