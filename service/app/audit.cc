#include "service/app/audit.h"

#include "keystate/policy/operation_set.h"
#include "service/app/guard.h"

#include <utility>

namespace hallmark::app {
namespace {

// What makes something of a key or of nothing, and changes neither.
constexpr OperationSet kUses{
    Operation::kGenerateMac,
    Operation::kGenerateRandom,
    Operation::kVerifyMac,
#define HALLMARK_SERVED(name, lane, forms)
#define HALLMARK_OTHER_USAGE(name, request) Operation::k##name,
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED
};

}  // namespace

bool OnlyReads(Operation operation) {
  return kUses.Contains(operation) || OnlyReads(Name(operation));
}

bool OnlyReads(std::string_view name) {
  return name == "Explain" || name.starts_with("Describe") || name.starts_with("Get") ||
         name.starts_with("List");
}

AuditEvent EventOf(const CallContext& call) {
  return {.source = AuditSource::kKms,
          .name = Name(call.operation),
          .reads_only = OnlyReads(call.operation),
          .caller = call.caller.get(),
          .access_key_id = call.access_key_id,
          .peer = call.peer,
          .request_id = call.request_id,
          .key_arn = call.key_arn,
          .decided_by = call.decided_by,
          .token_id = call.token_id,
          .started = call.started};
}

Result<std::unique_ptr<AuditSink::Slot>> ReserveRecord(AuditSink* sink,
                                                       const google::protobuf::Message* request) {
  if (sink == nullptr) return std::unique_ptr<AuditSink::Slot>();
  return Guarded([&] { return sink->Reserve(request); });
}

Status Record(AuditSink::Slot* slot, const AuditEvent& event, const Status& outcome) {
  if (slot == nullptr) return {};
  return Guarded([&] { return slot->Write(event, outcome); });
}

Status Record(AuditSink::Slot* slot, const AuditEvent& event, const Status& outcome,
              google::protobuf::Message* response) {
  Status recorded = Record(slot, event, outcome);
  if (recorded) return outcome;
  response->Clear();
  return recorded;
}

void RecordRefusal(AuditSink* sink, const AuditEvent& event, const Status& refusal) noexcept {
  if (sink == nullptr) return;
  // Lost if it fails: the file itself counts what it lost.
  static_cast<void>(Guarded([&]() -> Status {
    HALLMARK_ASSIGN_OR_RETURN(const auto slot, sink->Reserve(nullptr));
    return slot->Write(event, refusal);
  }));
}

}  // namespace hallmark::app
