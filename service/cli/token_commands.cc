#include "service/cli/token_commands.h"

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

namespace hallmark::cli {
namespace {

struct Flags {
  // Empty: the token must have been initialised with the tools of its maker.
  std::filesystem::path so_pin_file;
};

ExitCode Init(const Home& home, const pkcs11::TokenOptions& token, const Flags& flags) {
  service::OsRandom random;
  const auto store = OpenStore(home, random);
  if (!store) return Report(store.error());
  const auto image = (*store)->Load();
  if (!image) return Report("cannot read the store: " + ToString(image.error()));
  const bool known =
      std::any_of(image->tokens.begin(), image->tokens.end(),
                  [&](const TokenRecord& r) { return r.token_id == token.token_id; });
  if (known) {
    std::cout << "token." << token.token_id << " has its anchor already; nothing was changed\n";
    return ExitCode::kSuccess;
  }
  if (!flags.so_pin_file.empty()) {
    const auto formatted = pkcs11::FormatToken(token, flags.so_pin_file);
    if (!formatted) return Report(formatted.error().message);
  }
  auto record = pkcs11::InitToken(token, random);
  if (!record) return Report(record.error().message);
  const StoreWrite write = Put(*std::move(record));
  if (const auto committed = (*store)->Commit({&write, 1}); !committed) {
    return Report("the anchor was made, but not stored: " + ToString(committed.error()) +
                  ": run the command again");
  }
  std::cout << "token." << token.token_id << " has its anchor\n";
  return ExitCode::kSuccess;
}

ExitCode Orphans(const Home& home) {
  v1::ListOrphansResponse response;
  const auto listed = AskDaemon(home, "ListOrphans", v1::ListOrphansRequest(), &response);
  if (!listed) return Report(listed.error(), "ListOrphans");
  std::cout << Render(ToKmsJson(response), {}, OutputFormat::kJson);
  return ExitCode::kSuccess;
}

}  // namespace

void AddTokenCommands(CLI::App& root, const std::filesystem::path& home, Commands& commands) {
  CLI::App* token =
      root.add_subcommand("token", "PKCS#11 tokens: their first set-up, and what is on them");
  token->group("Administration")->require_subcommand(1)->fallthrough();
  const auto flags = std::make_shared<Flags>();
  CLI::App* init = token->add_subcommand(
      "init",
      "Makes the anchor key by which the daemon knows its token. Needs the daemon stopped; run "
      "again, it changes nothing.");
  init->group("Verbs")->fallthrough()->footer(ExampleOf("token init"));
  init->add_option("--format-with-so-pin", flags->so_pin_file,
                   "File with the security officer's PIN: if the module has no token of that name "
                   "yet, initialise an empty one first")
      ->type_name(kFileType);
  commands.list.push_back({init, [flags, &home] {
                             const auto opened = OpenHome(home);
                             if (!opened) return Report(opened.error());
                             return Init(*opened, opened->config.tokens.front(), *flags);
                           }});
  CLI::App* orphans = token->add_subcommand(
      "orphans",
      "Lists the keys on the token that no record names: left alone, never used, never destroyed. "
      "Needs the daemon.");
  orphans->group("Verbs")->fallthrough();
  commands.list.push_back({orphans, [&home] {
                             const auto opened = OpenHome(home);
                             return opened ? Orphans(*opened) : Report(opened.error());
                           }});
}

}  // namespace hallmark::cli
