#include "service/config/config.h"

#include "service/config/config_field.h"
#include "service/config/config_files.h"

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

constexpr Effect kLive = Effect::kLive;
constexpr Effect kNextStart = Effect::kNextStart;

constexpr std::string_view kTokenSection = "token";
constexpr std::size_t kMaxTokenIdLength = 64;

// What a key sets: the member that a chain of pointers to members leads to.
template <class Target>
struct Value {
  bool (*same)(const Target& a, const Target& b);
  void (*copy)(const Target& from, Target& to);
};
template <class Target, auto... kPath>
constexpr Value<Target> kMember{
    [](const Target& a, const Target& b) { return (a.*....*kPath) == (b.*....*kPath); },
    [](const Target& from, Target& to) { (to.*....*kPath) = (from.*....*kPath); }};
template <auto... kPath>
constexpr Value<Config> kIn = kMember<Config, kPath...>;
template <auto kPath>
constexpr Value<TokenOptions> kInToken = kMember<TokenOptions, kPath>;

// One key of a section; the section "" is the top of the file.
template <class Target>
struct KeyRow {
  std::string_view section;
  std::string_view key;
  Effect effect;
  Value<Target> value;
  void (*read)(Field field, Target& target);
};

constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kLogFormats{"json", "text"};

// Tables that are sized by their rows.
// NOLINTBEGIN(modernize-avoid-c-arrays)
constexpr KeyRow<Config> kKeys[] = {
    {"", "endpoints_file", kNextStart, kIn<&Config::endpoints_file>,
     [](Field f, Config& c) { f.OptionalPath(c.endpoints_file); }},
    {"site", "partition", kNextStart, kIn<&Config::site, &Site::partition>,
     [](Field f, Config& c) { f.ArnPart(c.site.partition); }},
    {"site", "region", kNextStart, kIn<&Config::site, &Site::region>,
     [](Field f, Config& c) { f.ArnPart(c.site.region); }},
    {"grpc", "listen", kNextStart, kIn<&Config::grpc, &Config::Grpc::listen>,
     [](Field f, Config& c) { f.Address(c.grpc.listen); }},
    {"grpc", "max_connections", kLive, kIn<&Config::grpc, &Config::Grpc::max_connections>,
     [](Field f, Config& c) { f.Count(c.grpc.max_connections, 1, 100'000); }},
    {"grpc", "max_connections_per_address", kLive,
     kIn<&Config::grpc, &Config::Grpc::max_connections_per_address>,
     [](Field f, Config& c) { f.Count(c.grpc.max_connections_per_address, 1, 100'000); }},
    {"grpc", "handshake_timeout_ms", kNextStart,
     kIn<&Config::grpc, &Config::Grpc::handshake_timeout>,
     [](Field f, Config& c) { f.Milliseconds(c.grpc.handshake_timeout, 100, 60'000); }},
    {"grpc", "max_call_ms", kLive, kIn<&Config::grpc, &Config::Grpc::max_call_duration>,
     [](Field f, Config& c) { f.Milliseconds(c.grpc.max_call_duration, 100, 600'000); }},
    {"grpc", "drain_timeout_ms", kLive, kIn<&Config::grpc, &Config::Grpc::drain_timeout>,
     [](Field f, Config& c) { f.Milliseconds(c.grpc.drain_timeout, 0, 600'000); }},
    {"aws", "listen", kNextStart, kIn<&Config::aws, &Config::Aws::listen>,
     [](Field f, Config& c) { f.OptionalAddress(c.aws.listen); }},
    {"aws", "max_connections", kLive, kIn<&Config::aws, &Config::Aws::max_connections>,
     [](Field f, Config& c) { f.Count(c.aws.max_connections, 1, 100'000); }},
    {"aws", "max_connections_per_address", kLive,
     kIn<&Config::aws, &Config::Aws::max_connections_per_address>,
     [](Field f, Config& c) { f.Count(c.aws.max_connections_per_address, 1, 100'000); }},
    {"aws", "handshake_timeout_ms", kNextStart, kIn<&Config::aws, &Config::Aws::handshake_timeout>,
     [](Field f, Config& c) { f.Milliseconds(c.aws.handshake_timeout, 100, 60'000); }},
    {"aws", "request_timeout_ms", kNextStart, kIn<&Config::aws, &Config::Aws::request_timeout>,
     [](Field f, Config& c) { f.Milliseconds(c.aws.request_timeout, 100, 600'000); }},
    {"aws", "idle_timeout_ms", kNextStart, kIn<&Config::aws, &Config::Aws::idle_timeout>,
     [](Field f, Config& c) { f.Milliseconds(c.aws.idle_timeout, 100, 3'600'000); }},
    {"sigv4", "allow_replay", kNextStart, kIn<&Config::sigv4, &Config::Sigv4::allow_replay>,
     [](Field f, Config& c) { f.Flag(c.sigv4.allow_replay); }},
    {"tls", "certificate", kLive, kIn<&Config::tls, &Config::Tls::certificate>,
     [](Field f, Config& c) { f.Path(c.tls.certificate); }},
    {"tls", "private_key", kLive, kIn<&Config::tls, &Config::Tls::private_key>,
     [](Field f, Config& c) { f.Path(c.tls.private_key); }},
    {"tls", "client_ca", kLive, kIn<&Config::tls, &Config::Tls::client_ca>,
     [](Field f, Config& c) { f.Path(c.tls.client_ca); }},
    {"tls", "trust_domains", kLive, kIn<&Config::tls, &Config::Tls::trust_domains>,
     [](Field f, Config& c) { f.OptionalPath(c.tls.trust_domains); }},
    {"admin", "socket", kNextStart, kIn<&Config::admin_socket>,
     [](Field f, Config& c) { f.Path(c.admin_socket); }},
    {"store", "directory", kNextStart, kIn<&Config::store_directory>,
     [](Field f, Config& c) { f.Path(c.store_directory); }},
    {"limits", "keys_per_account", kNextStart,
     kIn<&Config::limits, &Config::Limits::keys_per_account>,
     [](Field f, Config& c) { f.Count(c.limits.keys_per_account, 1, 100'000'000); }},
    {"limits", "keys_per_token", kNextStart, kIn<&Config::limits, &Config::Limits::keys_per_token>,
     [](Field f, Config& c) { f.Count(c.limits.keys_per_token, 0, 100'000'000); }},
    {"metrics", "listen", kNextStart, kIn<&Config::metrics_listen>,
     [](Field f, Config& c) { f.OptionalLoopbackAddress(c.metrics_listen); }},
    {"log", "level", kLive, kIn<&Config::log, &Config::Log::level>,
     [](Field f, Config& c) {
       std::size_t level = kLogLevels.size();
       f.Choice(kLogLevels, level);
       if (level < kLogLevels.size()) c.log.level = kLogLevels[level];
     }},
    {"log", "format", kNextStart, kIn<&Config::log, &Config::Log::format>,
     [](Field f, Config& c) {
       std::size_t format = c.log.format == LogFormat::kJson ? 0 : 1;
       f.Choice(kLogFormats, format);
       c.log.format = format == 0 ? LogFormat::kJson : LogFormat::kText;
     }},
    {"log", "file", kLive, kIn<&Config::log, &Config::Log::file>,
     [](Field f, Config& c) { f.OptionalPath(c.log.file); }},
    {"audit", "file", kNextStart, kIn<&Config::audit_file>,
     [](Field f, Config& c) { f.Path(c.audit_file); }},
};

constexpr KeyRow<TokenOptions> kTokenKeys[] = {
    {"token", "module", kNextStart, kInToken<&TokenOptions::module>,
     [](Field f, TokenOptions& t) { f.Path(t.module); }},
    {"token", "uri", kNextStart, kInToken<&TokenOptions::uri>,
     [](Field f, TokenOptions& t) { f.TokenUri(t.uri); }},
    {"token", "init_args", kNextStart, kInToken<&TokenOptions::init_args>,
     [](Field f, TokenOptions& t) { f.OptionalText(t.init_args); }},
    {"token", "sync_path", kNextStart, kInToken<&TokenOptions::sync_path>,
     [](Field f, TokenOptions& t) { f.OptionalPath(t.sync_path); }},
    {"token", "sessions", kNextStart, kInToken<&TokenOptions::sessions>,
     [](Field f, TokenOptions& t) { f.Count(t.sessions, 0, 1'024); }},
    {"token", "max_queued", kNextStart, kInToken<&TokenOptions::max_queued>,
     [](Field f, TokenOptions& t) { f.Count(t.max_queued, 1, 1'000'000); }},
    {"token", "key_copies", kNextStart, kInToken<&TokenOptions::key_copies>,
     [](Field f, TokenOptions& t) { f.Flag(t.key_copies); }},
};
// NOLINTEND(modernize-avoid-c-arrays)

std::string Qualified(std::string_view section, std::string_view key) {
  return section.empty() ? std::string(key) : std::string(section) + "." + std::string(key);
}

// Reads one section by its rows; whatever has no row is a mistake. `shown` is the section's name in
// mistakes; sections within it are read elsewhere if `known_sections` names them.
template <class Target, std::size_t N>
void ReadSection(const toml::table& table,
                 const KeyRow<Target> (&rows)[N],  // NOLINT(modernize-avoid-c-arrays): deduced
                 std::string_view section, const std::string& shown,
                 std::span<const std::string_view> known_sections, Target& target,
                 Mistakes& mistakes) {
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    const auto row =
        std::find_if(std::begin(rows), std::end(rows), [&](const KeyRow<Target>& candidate) {
          return candidate.section == section && candidate.key == name;
        });
    if (row != std::end(rows)) {
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
  for (const KeyRow<Config>& row : kKeys) {
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
  ReadSection(*table, kTokenKeys, kTokenSection, shown, {}, token, mistakes);
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
  if (tokens->size() > 1) {
    std::int64_t last = 0;
    for (const auto& [id, node] : *tokens)
      last = std::max<std::int64_t>(last, node.source().begin.line);
    mistakes.Add(last, kTokenSection,
                 std::to_string(tokens->size()) +
                     " tokens are configured, and this release serves one; keep one section "
                     "[token.<id>]");
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
}

}  // namespace

std::vector<std::string> ConfigKeys() {
  std::vector<std::string> keys;
  for (const KeyRow<Config>& row : kKeys) keys.push_back(Qualified(row.section, row.key));
  for (const auto& row : kTokenKeys) keys.push_back(Qualified("token.<id>", row.key));
  return keys;
}

std::vector<ConfigChange> ChangedKeys(const Config& running, const Config& wanted) {
  std::vector<ConfigChange> changes;
  for (const KeyRow<Config>& row : kKeys) {
    if (!row.value.same(running, wanted)) {
      changes.push_back({Qualified(row.section, row.key), row.effect});
    }
  }
  const auto find = [](const Config& config, const std::string& id) {
    return std::find_if(
        config.tokens.begin(), config.tokens.end(),
        [&id](const pkcs11::TokenOptions& candidate) { return candidate.token_id == id; });
  };
  for (const pkcs11::TokenOptions& token : running.tokens) {
    const std::string shown = Qualified(kTokenSection, token.token_id);
    const auto same_id = find(wanted, token.token_id);
    if (same_id == wanted.tokens.end()) {
      changes.push_back({shown, Effect::kNextStart});
      continue;
    }
    for (const auto& row : kTokenKeys) {
      if (!row.value.same(token, *same_id)) {
        changes.push_back({Qualified(shown, row.key), row.effect});
      }
    }
  }
  for (const pkcs11::TokenOptions& token : wanted.tokens) {
    if (find(running, token.token_id) == running.tokens.end()) {
      changes.push_back({Qualified(kTokenSection, token.token_id), Effect::kNextStart});
    }
  }
  return changes;
}

void TakeOverLive(const Config& wanted, Config& running) {
  for (const KeyRow<Config>& row : kKeys) {
    if (row.effect == Effect::kLive) row.value.copy(wanted, running);
  }
}

bool IsLive(std::string_view key) {
  return std::any_of(std::begin(kKeys), std::end(kKeys), [key](const KeyRow<Config>& row) {
    return row.effect == Effect::kLive && Qualified(row.section, row.key) == key;
  });
}

namespace {

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
    ReadSection(table, kKeys, "", "", sections, config, mistakes);
    for (const std::string_view section : sections) {
      const toml::node* node = table.get(section);
      if (node == nullptr || section == kTokenSection) continue;
      if (const toml::table* content = node->as_table()) {
        ReadSection(*content, kKeys, section, std::string(section), {}, config, mistakes);
      } else {
        mistakes.Add(node->source().begin.line, section,
                     "must be a section, [" + std::string(section) + "]");
      }
    }
    ReadTokens(table, config, mistakes);
    ResolvePaths(folder, config);
    CheckWhole(table, config, mistakes);
    if (files == Named::kChecked) CheckFiles(table, config, mistakes);
  } catch (const toml::parse_error& failure) {
    mistakes.Add(failure.source().begin.line, "",
                 "not valid TOML: " + std::string(failure.description()));
  }
  return config;
}

}  // namespace

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
