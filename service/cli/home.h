// The folder of one daemon: its configuration and what is found through it.
#pragma once

#include "keystate/random.h"
#include "keystate/result.h"
#include "keystate/store/sqlite_store.h"
#include "service/config/config.h"

#include <filesystem>
#include <memory>
#include <string>

namespace hallmark::cli {

struct Home {
  std::filesystem::path directory;  // absolute
  service::Config config;

  std::filesystem::path tls_directory() const { return directory / "tls"; }
  std::filesystem::path admin_socket() const { return directory / config.admin_socket; }
  std::filesystem::path store_directory() const { return directory / config.store_directory; }
};

// Reads DIR/hallmarkd.toml. An empty `directory` means ~/.hallmark.
Result<Home, std::string> OpenHome(const std::filesystem::path& directory);

// Opens the store for ourselves alone, which works only while no daemon has it.
Result<std::unique_ptr<store::SqliteStore>, std::string> OpenStore(const Home& home,
                                                                   RandomSource& random);

}  // namespace hallmark::cli
