// The port to the record of every decision.
#pragma once

#include "keystate/clock.h"
#include "keystate/principal_directory.h"
#include "keystate/result.h"
#include "service/app/call_context.h"

#include <google/protobuf/message.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace hallmark::app {

// Of what a call was; kService: the daemon did it by itself.
enum class AuditSource { kKms, kAdministration, kService };

// What a record says of a call, besides its parameters and its outcome. Borrows everything.
struct AuditEvent {
  AuditSource source = AuditSource::kKms;
  std::string_view name{};  // "GenerateMac", "AttachPolicy"
  bool reads_only = false;
  const Principal* caller = nullptr;  // null: not known, or the operator
  std::string_view access_key_id{};   // that signed the request; empty: none did
  bool by_operator = false;           // through the Unix socket, where the system lets nobody else
  std::string_view peer{};            // "127.0.0.1:41234", "unix:"
  std::string_view request_id{};
  std::string_view key_arn{};     // empty: the call is about no key
  std::string_view decided_by{};  // "key policy: Let Alice in"
  std::string_view token_id{};    // that was asked last; empty: none was
  SteadyTime started{};
  // Refusals of strangers since the last record of one, which have none of their own.
  std::int64_t unrecorded = 0;
};

// `call` outlives it.
AuditEvent EventOf(const CallContext& call);

// Whether an operation, or a method of this name ("GetSweeper"), leaves everything as it was. What
// makes a MAC or random bytes does.
bool OnlyReads(Operation operation);
bool OnlyReads(std::string_view name);

// Nothing is done that could not be recorded, and nothing is answered that is not.
//
// Thread-safety: every method may be called from any thread.
class AuditSink {
 public:
  // Room for the record of one call. Without Write it is given back.
  class Slot {
   public:
    virtual ~Slot() = default;

    // Records how the call ended, once, before it is answered.
    //
    // Errors: KMSInternalException when it could not be: then the answer must not go out.
    virtual Status Write(const AuditEvent& event, const Status& outcome) = 0;
  };

  virtual ~AuditSink() = default;

  // Sets room aside, before anything is done for the call. `request` is looked at now and not
  // later; null: the record has no parameters.
  //
  // Errors: KMSInternalException while nothing can be recorded.
  virtual Result<std::unique_ptr<Slot>> Reserve(const google::protobuf::Message* request) = 0;
};

// Reserve that does not throw. Null in a success: nothing is recorded, for want of a sink.
Result<std::unique_ptr<AuditSink::Slot>> ReserveRecord(AuditSink* sink,
                                                       const google::protobuf::Message* request);

// Records the outcome, if there is a slot.
//
// Errors: KMSInternalException: it is not recorded.
Status Record(AuditSink::Slot* slot, const AuditEvent& event, const Status& outcome);

// Records the outcome; what the caller may be told: `outcome` only if it is recorded, and else a
// refusal, for which `response` is emptied. `slot` null: nothing is recorded.
Status Record(AuditSink::Slot* slot, const AuditEvent& event, const Status& outcome,
              google::protobuf::Message* response);

// Records the refusal of a stranger without parameters, if it can be: nothing was done, so nothing
// depends on it. `sink` null: nothing is recorded.
void RecordRefusal(AuditSink* sink, const AuditEvent& event, const Status& refusal) noexcept;

}  // namespace hallmark::app
