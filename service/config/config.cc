#include "service/config/config.h"

#include "service/config/config_field.h"
#include "service/config/config_files.h"
#include "service/config/config_keys.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

namespace hallmark::service {
namespace {

using pkcs11::TokenOptions;

constexpr std::size_t kMaxTokenIdLength = 64;

// Reads one section by its rows; whatever has no row is a mistake. `shown` is the section's name in
// mistakes; sections within it are read elsewhere if `known_sections` names them.
template <class Target>
void ReadSection(const toml::table& table, std::span<const KeyRow<Target>> rows,
                 std::string_view section, const std::string& shown,
                 std::span<const std::string_view> known_sections, Target& target,
                 Mistakes& mistakes) {
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const KeyRow<Target>& candidate) {
      return candidate.section == section && candidate.key == name;
    });
    if (row != rows.end()) {
      row->read(Field(node, Qualified(shown, name), mistakes), target);
      continue;
    }
    if (std::find(known_sections.begin(), known_sections.end(), name) != known_sections.end()) {
      continue;
    }
    std::vector<std::string_view> known(known_sections.begin(), known_sections.end());
    for (const KeyRow<Target>& candidate : rows) {
      if (candidate.section == section) known.push_back(candidate.key);
    }
    mistakes.Add(key.source().begin.line, Qualified(shown, name),
                 (node.is_table() ? "no such section" : "no such key") + DidYouMean(name, known) +
                     " (the example configuration lists them all)");
  }
}

std::vector<std::string_view> SectionNames() {
  std::vector<std::string_view> names{kTokenSection};
  for (const KeyRow<Config>& row : KeysOfFile()) {
    if (!row.section.empty() && names.back() != row.section) names.push_back(row.section);
  }
  return names;
}

bool IsTokenId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxTokenIdLength &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

void ReadToken(std::string_view id, const toml::node& node, Config& config, Mistakes& mistakes) {
  const std::string shown = Qualified(kTokenSection, id);
  const std::int64_t line = node.source().begin.line;
  if (!IsTokenId(id)) {
    mistakes.Add(line, shown, "a token's id has 1 to 64 letters, digits, \"-\" and \"_\"");
  }
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    mistakes.Add(line, shown, "must be a section, [token.<id>]");
    return;
  }
  pkcs11::TokenOptions token;
  token.token_id = id;
  ReadSection(*table, KeysOfToken(), kTokenSection, shown, {}, token, mistakes);
  for (const char* required : {"module", "uri"}) {
    if (!table->contains(required)) {
      mistakes.Add(line, Qualified(shown, required), "missing; there is no default for it");
    }
  }
  config.tokens.push_back(std::move(token));
}

void ReadTokens(const toml::table& file, Config& config, Mistakes& mistakes) {
  const toml::node* section = file.get(kTokenSection);
  const toml::table* tokens = section == nullptr ? nullptr : section->as_table();
  if (section != nullptr && tokens == nullptr) {
    mistakes.Add(section->source().begin.line, kTokenSection, "must be a section, [token.<id>]");
    return;
  }
  if (tokens == nullptr || tokens->empty()) {
    mistakes.Add(0, kTokenSection, "no token is configured; add one section [token.<id>]");
    return;
  }
  for (const auto& [id, node] : *tokens) ReadToken(id.str(), node, config, mistakes);
}

// Which token is the default one, and that no two sections are about one token.
void CheckTokens(const toml::table& file, const Config& config, Mistakes& mistakes) {
  const auto line_of = [&file](std::string_view key) {
    const toml::node* const node = file.at_path(key).node();
    return node == nullptr ? std::int64_t{0} : std::int64_t{node->source().begin.line};
  };
  const auto line_of_token = [&](const TokenOptions& token) {
    return line_of(Qualified(kTokenSection, token.token_id));
  };
  const auto has_id = [&](const TokenOptions& token) {
    return token.token_id == config.default_token;
  };
  if (config.tokens.empty()) return;
  if (config.default_token.empty() && config.tokens.size() > 1) {
    std::int64_t last = 0;
    for (const TokenOptions& token : config.tokens) last = std::max(last, line_of_token(token));
    mistakes.Add(last, "default_token",
                 "missing, while " + std::to_string(config.tokens.size()) +
                     " tokens are configured; name the one that makes new keys");
  } else if (!config.default_token.empty() &&
             std::none_of(config.tokens.begin(), config.tokens.end(), has_id)) {
    mistakes.Add(
        line_of("default_token"), "default_token",
        "there is no section [token." + config.default_token + "]; name one that is there");
  }
  for (const TokenOptions& token : config.tokens) {
    const std::string section = Qualified(kTokenSection, token.token_id);
    if (!token.host_user.empty() && (token.hosts == 0 || token.host_directory.empty())) {
      const std::string key = Qualified(section, "host_user");
      mistakes.Add(line_of(key), key,
                   token.hosts == 0 ? "there are no hosts to run as this user; set hosts, too"
                                    : "host_directory is missing; name a folder of this user");
    }
  }
  for (auto token = config.tokens.begin(); token != config.tokens.end(); ++token) {
    const auto first = std::find_if(config.tokens.begin(), token, [&](const TokenOptions& other) {
      return other.module == token->module && other.uri == token->uri;
    });
    if (first == token || token->uri.empty()) continue;
    mistakes.Add(line_of_token(*token), Qualified(kTokenSection, token->token_id),
                 "names the token that " + Qualified(kTokenSection, first->token_id) +
                     " names, too; keep one of them");
  }
}

void ResolvePaths(const std::filesystem::path& folder, Config& config) {
  const auto resolve = [&folder](std::filesystem::path& path) {
    if (!path.empty()) path = (folder / path).lexically_normal();
  };
  for (std::filesystem::path* path :
       {&config.tls.certificate, &config.tls.private_key, &config.tls.client_ca,
        &config.tls.trust_domains, &config.admin_socket, &config.store_directory,
        &config.endpoints_file, &config.log.file, &config.audit_file}) {
    resolve(*path);
  }
  for (pkcs11::TokenOptions& token : config.tokens) {
    resolve(token.module);
    resolve(token.sync_path);
    resolve(token.host_directory);
    token.config_directory = folder;
    token.state_directory = config.store_directory;
  }
}

// What no single key shows.
void CheckWhole(const toml::table& file, const Config& config, Mistakes& mistakes) {
  const auto line_of = [&file](std::string_view section, std::string_view key) {
    const auto node = file[section][key];
    return node ? std::int64_t{node.node()->source().begin.line} : std::int64_t{0};
  };
  constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
  if (config.admin_socket.native().size() > kMaxSocketPath) {
    mistakes.Add(line_of("admin", "socket"), "admin.socket",
                 "the absolute path is longer than the " + std::to_string(kMaxSocketPath) +
                     " bytes that a Unix socket allows; choose a shorter one");
  }
  const auto check_limits = [&](const std::string& section, std::size_t of_address,
                                std::size_t of_all) {
    if (of_address <= of_all) return;
    // Either of them may be a default.
    mistakes.Add(
        std::max(line_of(section, "max_connections_per_address"),
                 line_of(section, "max_connections")),
        section + ".max_connections_per_address",
        "must not exceed " + section + ".max_connections (" + std::to_string(of_all) + ")");
  };
  check_limits("grpc", config.grpc.max_connections_per_address, config.grpc.max_connections);
  check_limits("aws", config.aws.max_connections_per_address, config.aws.max_connections);
  if (config.aws.listen == config.grpc.listen && !config.aws.listen.ends_with(":0")) {
    mistakes.Add(line_of("aws", "listen"), "aws.listen",
                 "is grpc.listen, too (" + config.grpc.listen + "); each needs a port of its own");
  }
}

// The file names the module that we load: whoever may write it may run code as us.
void CheckOwner(const std::filesystem::path& file, Mistakes& mistakes) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return;  // reading it reports that
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    mistakes.Add(0, "", "can be written by others; run chmod go-w on it");
  } else if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    mistakes.Add(0, "", "belongs to somebody else; it must be ours or root's");
  }
}

constexpr std::uintmax_t kMaxFileBytes = 64 * 1024;

enum class Named { kIgnored, kChecked };

Config Read(const std::filesystem::path& file, Named files, Mistakes& mistakes) {
  Config config;
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(file, error).parent_path();
  // Before it is opened, since a pipe would be waited for. The parser needs stack for what it
  // reads.
  const bool regular = std::filesystem::is_regular_file(file, error);
  if (regular && std::filesystem::file_size(file, error) > kMaxFileBytes) {
    mistakes.Add(0, "", "larger than 64 KiB; is it the configuration?");
    return config;
  }
  std::ifstream stream;
  if (regular) stream.open(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(regular ? stream.rdbuf() : nullptr), {}};
  if (error || !regular || !stream) {
    mistakes.Add(0, "", "cannot be read; name an existing file that this user may read");
    return config;
  }
  CheckOwner(file, mistakes);
  try {
    const toml::table table = toml::parse(text, file.string());
    const std::vector<std::string_view> sections = SectionNames();
    ReadSection(table, KeysOfFile(), "", "", sections, config, mistakes);
    for (const std::string_view section : sections) {
      const toml::node* node = table.get(section);
      if (node == nullptr || section == kTokenSection) continue;
      if (const toml::table* content = node->as_table()) {
        ReadSection(*content, KeysOfFile(), section, std::string(section), {}, config, mistakes);
      } else {
        mistakes.Add(node->source().begin.line, section,
                     "must be a section, [" + std::string(section) + "]");
      }
    }
    ReadTokens(table, config, mistakes);
    ResolvePaths(folder, config);
    CheckWhole(table, config, mistakes);
    CheckTokens(table, config, mistakes);
    if (files == Named::kChecked) CheckFiles(table, config, mistakes);
  } catch (const toml::parse_error& failure) {
    mistakes.Add(failure.source().begin.line, "",
                 "not valid TOML: " + std::string(failure.description()));
  }
  return config;
}

}  // namespace

const TokenOptions& Config::default_options() const {
  const auto found = std::find_if(tokens.begin(), tokens.end(), [&](const TokenOptions& token) {
    return token.token_id == default_token;
  });
  return found == tokens.end() ? tokens.front() : *found;
}

Result<Config, std::vector<ConfigError>> LoadConfig(const std::filesystem::path& file) {
  Mistakes mistakes(file.string());
  Config config = Read(file, Named::kIgnored, mistakes);
  if (!mistakes.empty()) return Unexpected(mistakes.Take());
  return config;
}

std::vector<ConfigError> CheckConfig(const std::filesystem::path& file) {
  Mistakes mistakes(file.string());
  static_cast<void>(Read(file, Named::kChecked, mistakes));
  return mistakes.Take();
}

}  // namespace hallmark::service
