#include "service/cli/home.h"

#include <cstdlib>

namespace hallmark::cli {
namespace fs = std::filesystem;

Result<Home, std::string> OpenHome(const fs::path& directory) {
  fs::path chosen = directory;
  if (chosen.empty()) {
    const char* user_home = std::getenv("HOME");
    if (user_home == nullptr || *user_home == '\0') {
      return Unexpected(std::string("no folder to work in: give --home or set HALLMARK_HOME"));
    }
    chosen = fs::path(user_home) / ".hallmark";
  }
  std::error_code error;
  const fs::path absolute = fs::absolute(chosen, error);
  const fs::path file = absolute / "hallmarkd.toml";
  if (!fs::exists(file, error)) {
    return Unexpected("there is no '" + file.string() +
                      "': give its folder with --home, or make one with deploy/quickstart");
  }
  auto config = service::LoadConfig(file);
  if (!config) {
    std::string text = "the configuration has mistakes";
    for (const service::ConfigError& mistake : config.error()) text += "\n  " + mistake.message;
    return Unexpected(std::move(text));
  }
  return Home{absolute, *std::move(config)};
}

Result<std::unique_ptr<store::SqliteStore>, std::string> OpenStore(const Home& home,
                                                                   RandomSource& random) {
  auto opened = store::SqliteStore::Open(home.store_directory(), home.config.site, random);
  if (opened) return *std::move(opened);
  const Error& error = opened.error();
  std::string text = "cannot open the store '" + home.store_directory().string() +
                     "': " + (error.detail.empty() ? error.message : ToString(error));
  if (error.exception == Exception::kConflictException) {
    text += ": a daemon holds it, but its socket '" + home.admin_socket().string() +
            "' does not answer; stop that daemon or wait until it has started";
  }
  return Unexpected(std::move(text));
}

}  // namespace hallmark::cli
