// hallmarkd: flags → configuration → server → signals → stop.
#include "service/config/config.h"
#include "service/grpc/tls.h"
#include "service/log/escape.h"
#include "service/net/tls_files.h"
#include "service/server/reload.h"
#include "service/server/server.h"
#include "service/server/signals.h"

#include <CLI/CLI.hpp>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

namespace {

using hallmark::service::LoadConfig;
using hallmark::service::Server;
using hallmark::service::Signals;

void Complain(const std::string& message) {
  // It may hold what somebody wrote into a file.
  std::fprintf(stderr, "hallmarkd: %s\n", hallmark::service::OneLine(message).c_str());
}

// A core dump would hold what the token's module keeps in memory, the PIN among it. The size limit
// alone is not enough: a core_pattern that is a pipe ignores it. Not configurable, so that no
// configuration can be the one that leaks.
void ForbidCoreDumps() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int CheckConfig(const std::string& file) {
  auto mistakes = hallmark::service::CheckConfig(file);
  if (mistakes.empty()) {
    // What the files hold, too: a key that does not belong to its certificate, for one.
    if (const auto config = LoadConfig(file); config.has_value()) {
      const auto tls = hallmark::net::ReadTlsFiles(hallmark::service::TlsFilesOf(*config));
      if (!tls.has_value()) mistakes.push_back({file + ": tls: " + tls.error()});
    }
  }
  if (mistakes.empty()) {
    std::printf("%s: no mistakes\n", hallmark::service::OneLine(file).c_str());
    return EX_OK;
  }
  for (const auto& mistake : mistakes) Complain(mistake.message);
  return EX_CONFIG;
}

int Serve(const std::string& file, Signals& signals) {
  auto config = LoadConfig(file);
  if (!config.has_value()) {
    for (const auto& mistake : config.error()) Complain(mistake.message);
    return EX_CONFIG;
  }
  // A call that hangs can only be ended with its process: the supervisor starts another.
  auto server = Server::Start(*config, [&signals] { signals.EndWith(EX_TEMPFAIL); });
  if (!server.has_value()) {
    Complain(server.error().message);
    return server.error().exit_code;
  }
  while (signals.Wait() == Signals::Request::kReload) {
    try {
      (*server)->Reload(LoadConfig(file));
    } catch (const std::exception& thrown) {  // a disk that fails: we go on serving
      Complain(file + ": " + thrown.what() + "; nothing was changed, reload again");
    }
  }
  server->reset();
  return signals.exit_code();
}

}  // namespace

int main(int argc, char** argv) {
  Signals signals;
  // Before anything is loaded: a token's module that talks to a daemon of its own may get one.
  std::signal(SIGPIPE, SIG_IGN);
  // A file that may not grow further is an error like a full disk, not our end.
  std::signal(SIGXFSZ, SIG_IGN);
  ForbidCoreDumps();
  hallmark::grpc_front::RestrictTlsToVersion13();

  CLI::App flags(
      "Hallmark: HMACs computed inside a PKCS#11 token, served over gRPC and the AWS KMS protocol.",
      "hallmarkd");
  std::string config_file;
  std::string checked_file;
  auto* const config = flags.add_option("--config", config_file, "Serve with this configuration");
  auto* const check = flags.add_option("--check-config", checked_file,
                                       "Say what is wrong with a configuration, and end");
  config->type_name("FILE")->excludes(check);
  check->type_name("FILE");
  flags.set_version_flag("--version", "hallmarkd " HALLMARK_VERSION);
  try {
    flags.parse(argc, argv);
    if (config_file.empty() && checked_file.empty()) throw CLI::RequiredError("--config");
  } catch (const CLI::Success& asked) {  // --help, --version
    return flags.exit(asked);
  } catch (const CLI::ParseError& mistake) {
    Complain(std::string("command line: ") + mistake.what() + "; see hallmarkd --help");
    return EX_USAGE;
  }

  try {
    if (!checked_file.empty()) {
      signals.Unblock();
      return CheckConfig(checked_file);
    }
    signals.Watch();
    return Serve(config_file, signals);
  } catch (const std::exception& bug) {
    Complain(std::string("internal error: ") + bug.what() + "; please report it");
    return EX_SOFTWARE;
  }
}
