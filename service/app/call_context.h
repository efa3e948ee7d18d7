// One call, as every step of the pipeline sees it.
#pragma once

#include "keystate/clock.h"
#include "keystate/operation.h"
#include "keystate/principal_directory.h"
#include "keystate/result.h"

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace hallmark::app {

// The protocol that a call came by.
enum class Protocol { kGrpc, kAws };
inline constexpr std::size_t kProtocols = 2;
// "grpc", "aws".
constexpr std::string_view Name(Protocol protocol) {
  return protocol == Protocol::kGrpc ? "grpc" : "aws";
}

// Made by a front when a request arrives; shared by everything that works on the call.
struct CallContext {
  std::string request_id;  // UUID
  Operation operation;
  Protocol protocol = Protocol::kGrpc;
  std::shared_ptr<const Principal> caller;
  // By what the caller was recognised; looked up again whenever the call has waited. First the
  // access key that signed the request; empty: it came with a certificate.
  std::string access_key_id;
  CertificateFingerprint fingerprint{};
  // The SPIFFE id in the certificate, if that is by what the caller was recognised; empty
  // otherwise.
  std::string spiffe_id;
  // Of the certificate; an access key ends when it is removed.
  WallTime credential_expiry{};
  // The client's deadline or the server's maximum, whichever is first.
  SteadyTime deadline{};
  SteadyTime started{};
  std::string peer;  // "127.0.0.1:41234"
  // The thread that brought the call may be held up by a token: its front replaces it meanwhile.
  bool may_hold_up_thread = false;
  // Set by the front when the client went away.
  std::atomic<bool> cancelled{false};

  // For the log; written by the pipeline as it learns it. Complete before `Done` runs.
  std::string key_arn;
  // The statement or grant that decided, with its kind: "key policy: Let Alice in".
  std::string decided_by;
  // The token that computed, or failed to; empty: none was asked.
  std::string token_id;
};

using CallPtr = std::shared_ptr<CallContext>;

// Answers the call: success means that the response message is filled in. Called exactly once, on
// any thread. It writes the call's record first, so a disk that hangs holds up whoever calls it;
// beyond that it must not block.
using Done = std::function<void(Status)>;

}  // namespace hallmark::app
