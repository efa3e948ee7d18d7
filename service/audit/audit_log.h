// The record of every decision, as lines of JSON in the shape of CloudTrail's events.
#pragma once

#include "keystate/clock.h"
#include "keystate/ids.h"
#include "keystate/policy/policy.h"
#include "keystate/random.h"
#include "service/app/audit.h"
#include "service/audit/audit_file.h"

#include <memory>
#include <string>

namespace hallmark::audit {

// What every record says.
struct AuditOrigin {
  Site site;
  std::string token_id;
};

// One line per call: who, what, on which key, how it ended, which statement or grant decided, how
// long it took. Never a message, a MAC, a grant token or a client token: fields of bytes and those
// that the schema calls sensitive are left out. A line is no longer than was reserved for it,
// whatever was sent: texts and lists are cut.
//
// Calls of AdminService have an eventSource of their own and the operator as their caller, whom the
// system lets through to the socket; a stranger has no parameters either.
//
// Source of the shape: CloudTrail record contents; what KMS puts there is in the KMS developer
// guide, "CloudTrail log entries".
class AuditLog final : public app::AuditSink {
 public:
  // Most that a request's parameters take beside a policy, and most that a policy takes: half of it
  // may be characters that JSON writes as two. It is the caller who chooses them, and before
  // anybody has looked at who he is.
  static constexpr std::size_t kMaxParameterBytes = 40 * 1024;
  static constexpr std::size_t kMaxPolicyBytes = 2 * Policy::kMaxBytes;
  // Room for what is not known when a call begins: outcome, decision, ids.
  static constexpr std::size_t kTailBytes = 12 * 1024;

  // Both outlive it.
  AuditLog(AuditOrigin origin, AuditFile& file, Clock& clock, RandomSource& random)
      : origin_(std::move(origin)), file_(file), clock_(clock), random_(random) {}

  Result<std::unique_ptr<Slot>> Reserve(const google::protobuf::Message* request) override;

 private:
  class FileSlot;

  const AuditOrigin origin_;
  AuditFile& file_;
  Clock& clock_;
  RandomSource& random_;
};

}  // namespace hallmark::audit
