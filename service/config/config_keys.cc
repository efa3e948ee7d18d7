#include "service/config/config_keys.h"

#include <array>

namespace hallmark::service {
namespace {

using pkcs11::TokenOptions;

constexpr Effect kLive = Effect::kLive;
constexpr Effect kNextStart = Effect::kNextStart;

// The member that a chain of pointers to members leads to.
template <class Target, auto... kPath>
constexpr Value<Target> kMember{
    [](const Target& a, const Target& b) { return (a.*....*kPath) == (b.*....*kPath); },
    [](const Target& from, Target& to) { (to.*....*kPath) = (from.*....*kPath); }};
template <auto... kPath>
constexpr Value<Config> kIn = kMember<Config, kPath...>;
template <auto kPath>
constexpr Value<TokenOptions> kInToken = kMember<TokenOptions, kPath>;

constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kLogFormats{"json", "text"};

// Tables that are sized by their rows.
// NOLINTBEGIN(modernize-avoid-c-arrays)
constexpr KeyRow<Config> kKeys[] = {
    {"", "endpoints_file", kNextStart, kIn<&Config::endpoints_file>,
     [](Field f, Config& c) { f.OptionalPath(c.endpoints_file); }},
    {"", "default_token", kNextStart, kIn<&Config::default_token>,
     [](Field f, Config& c) { f.OptionalText(c.default_token); }},
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
    {"limits", "principal_macs_per_second", kLive,
     kIn<&Config::limits, &Config::Limits::principal_macs_per_second>,
     [](Field f, Config& c) { f.Count(c.limits.principal_macs_per_second, 0, 1'000'000); }},
    {"limits", "key_macs_per_second", kLive,
     kIn<&Config::limits, &Config::Limits::key_macs_per_second>,
     [](Field f, Config& c) { f.Count(c.limits.key_macs_per_second, 0, 1'000'000); }},
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
    {"token", "hung_call_limit_ms", kNextStart, kInToken<&TokenOptions::hung_call_limit>,
     [](Field f, TokenOptions& t) { f.Milliseconds(t.hung_call_limit, 100, 3'600'000); }},
    {"token", "max_hung_calls", kNextStart, kInToken<&TokenOptions::max_hung_calls>,
     [](Field f, TokenOptions& t) { f.Count(t.max_hung_calls, 0, 1'024); }},
    {"token", "hosts", kNextStart, kInToken<&TokenOptions::hosts>,
     [](Field f, TokenOptions& t) { f.Count(t.hosts, 0, 16); }},
    {"token", "host_user", kNextStart, kInToken<&TokenOptions::host_user>,
     [](Field f, TokenOptions& t) { f.OptionalText(t.host_user); }},
    {"token", "host_directory", kNextStart, kInToken<&TokenOptions::host_directory>,
     [](Field f, TokenOptions& t) { f.OptionalPath(t.host_directory); }},
    {"token", "host_hang_limit_ms", kNextStart, kInToken<&TokenOptions::host_hang_limit>,
     [](Field f, TokenOptions& t) { f.Milliseconds(t.host_hang_limit, 100, 3'600'000); }},
    {"token", "key_copies", kNextStart, kInToken<&TokenOptions::key_copies>,
     [](Field f, TokenOptions& t) { f.Flag(t.key_copies); }},
    {"token", "accept_weak_token", kNextStart, kInToken<&TokenOptions::accept_weak_token>,
     [](Field f, TokenOptions& t) { f.OptionalText(t.accept_weak_token); }},
};
// NOLINTEND(modernize-avoid-c-arrays)

}  // namespace

std::span<const KeyRow<Config>> KeysOfFile() { return kKeys; }

std::span<const KeyRow<TokenOptions>> KeysOfToken() { return kTokenKeys; }

std::string Qualified(std::string_view section, std::string_view key) {
  return section.empty() ? std::string(key) : std::string(section) + "." + std::string(key);
}

}  // namespace hallmark::service
