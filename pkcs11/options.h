// How a token is described, how opening it fails, and what it tells operators.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

namespace hallmark::pkcs11 {

// One [token.<id>] section of the configuration.
struct TokenOptions {
  std::string token_id;
  std::filesystem::path module;  // absolute
  // CK_C_INITIALIZE_ARGS.pReserved for modules that need a string there (NSS); empty: none.
  std::string init_args;
  // RFC 7512; names the token and, by pin-source, the file that holds the user PIN.
  std::string uri;
  // Relative pin-source paths and the PIN latch are looked up here.
  std::filesystem::path config_directory;
  std::filesystem::path state_directory;
  // Where a token that is made of files keeps them: this file system is synced before a new key
  // counts as durable, and what SoftHSM would lose in a crash is copied (token_files.h). Empty: the
  // token is durable by itself.
  std::filesystem::path sync_path;
  // Threads, each with a session, that compute MACs. 0: twice the number of processors, within what
  // the token allows.
  std::size_t sessions = 0;
  // MACs that may wait; more are refused.
  std::size_t max_queued = 4096;
  // A MAC that the token has not answered by then, nor by its deadline, counts as hung for ever:
  // its thread and its session are replaced.
  std::chrono::milliseconds hung_call_limit{30'000};
  // Hung calls that there may be at a time; at one more the token asks for the end of the process.
  std::size_t max_hung_calls = 16;
  // Keys are made with CKA_MODIFIABLE true, which lets session-object copies be made of them.
  bool key_copies = false;
  // Why a token that lets keys out may be made ours nevertheless; empty: it may not.
  std::string accept_weak_token;

  // Processes of their own that call the token (host/README.md), each with `sessions`. 0: it is
  // called in this process, and the rest means nothing.
  std::size_t hosts = 0;
  // The user whom they run as, which takes root to choose. Empty: ours.
  std::string host_user;
  // Takes the place of state_directory for that user. Empty: state_directory.
  std::filesystem::path host_directory;
  // A host that has not answered a MAC for so long is replaced.
  std::chrono::milliseconds host_hang_limit{2'000};
  // Empty: hallmark-token-host beside the running program.
  std::filesystem::path host_program;
};

// Why a token could not be opened; main maps it to the exit code.
enum class OpenFailure {
  kConfiguration,  // the URI or the module path is wrong
  kTokenAbsent,    // no such token, or one without its anchor
  kPinRefused,     // wrong PIN, or the latch or the token's own counter forbids to try it
  kTokenError,     // the token answered with an error
};

struct OpenError {
  OpenFailure failure;
  std::string message;  // one line: the thing, the reason and the remedy
};

enum class Severity { kInfo, kWarning, kAlarm };
// Receives what operators must learn. Must not block.
using EventSink = std::function<void(Severity, const std::string& text)>;

}  // namespace hallmark::pkcs11
