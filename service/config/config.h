// hallmarkd.toml, validated.
#pragma once

#include "keystate/ids.h"
#include "pkcs11/token_hsm.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::service {

enum class LogFormat { kJson, kText };

// Every key has a default; paths are relative to the file's folder. deploy/hallmark.example.toml
// lists them all with their units.
struct Config {
  Site site{"aws", "us-west-2"};

  struct Grpc {
    std::string listen = "127.0.0.1:9443";
    std::size_t max_connections = 1000;
    std::size_t max_connections_per_address = 256;
    std::chrono::milliseconds handshake_timeout{5'000};
    std::chrono::milliseconds max_call_duration{10'000};
    std::chrono::milliseconds drain_timeout{10'000};
  } grpc;

  // The AWS protocol, with TLS and the limits of calls that gRPC has.
  struct Aws {
    std::string listen;  // empty: not served
    std::size_t max_connections = 1000;
    std::size_t max_connections_per_address = 256;
    std::chrono::milliseconds handshake_timeout{5'000};
    std::chrono::milliseconds request_timeout{10'000};
    std::chrono::milliseconds idle_timeout{60'000};
  } aws;

  struct Sigv4 {
    bool allow_replay = false;
  } sigv4;

  struct Tls {
    std::filesystem::path certificate = "tls/server.pem";
    std::filesystem::path private_key = "tls/server.key";
    std::filesystem::path client_ca = "tls/ca.pem";
    std::filesystem::path trust_domains;  // empty: no SPIFFE ids
  } tls;

  struct Limits {
    std::size_t keys_per_account = 100'000;
    std::size_t keys_per_token = 0;             // 0: as many as the token takes
    std::size_t principal_macs_per_second = 0;  // 0: any
    std::size_t key_macs_per_second = 0;        // 0: any
  } limits;

  // Unix socket for administration and health probes.
  std::filesystem::path admin_socket = "admin.sock";
  std::filesystem::path store_directory = "store";
  // Where the daemon writes the addresses it listens on; empty: nowhere.
  std::filesystem::path endpoints_file;
  // Prometheus; empty: no listener.
  std::string metrics_listen = "127.0.0.1:0";

  struct Log {
    std::string level = "info";
    LogFormat format = LogFormat::kJson;
    std::filesystem::path file;  // empty: standard error
  } log;

  // Where every decision is recorded.
  std::filesystem::path audit_file = "audit.jsonl";

  std::vector<pkcs11::TokenOptions> tokens;  // at least one
  // Makes the keys whose maker names no token, and seals. Empty: the only one.
  std::string default_token;

  const pkcs11::TokenOptions& default_options() const;
};

// A mistake in a configuration file: "hallmarkd.toml:12: grpc.listen: …".
struct ConfigError {
  std::string message;
};

// Every key that LoadConfig reads: "endpoints_file", "grpc.listen", "token.<id>.module".
std::vector<std::string> ConfigKeys();

// When a key that was changed in the file takes effect: as soon as the file is read again, or at
// the next start.
enum class Effect { kLive, kNextStart };

struct ConfigChange {
  std::string key;  // "grpc.listen"; "token.<id>" for a token that came or went
  Effect effect;
};

// The keys whose values differ; for files, their names and not their contents.
std::vector<ConfigChange> ChangedKeys(const Config& running, const Config& wanted);

// Copies the live keys.
void TakeOverLive(const Config& wanted, Config& running);

// Whether TakeOverLive copies the key, of those that ConfigKeys names.
bool IsLive(std::string_view key);

// Reads and checks the file, and reports all mistakes at once; unknown keys are mistakes, so that a
// typo is not a silent default.
Result<Config, std::vector<ConfigError>> LoadConfig(const std::filesystem::path& file);

// The mistakes that LoadConfig would report, and those in what the file names: files that are
// missing or that this user may not read, folders that do not exist, a URI that names no token.
std::vector<ConfigError> CheckConfig(const std::filesystem::path& file);

}  // namespace hallmark::service
