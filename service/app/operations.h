// The table of operations, made from served_operations.def.
#pragma once

#include "keystate/ids.h"
#include "keystate/operation.h"
#include "service/app/call_context.h"
#include "service/app/engine.h"

#include <google/protobuf/message.h>

#include <span>
#include <string_view>

namespace hallmark::app {

// Where an operation's function runs.
enum class Lane {
  kMemory,        // on the thread that received the call: reads memory only
  kControl,       // on the control pool: takes its time or waits for the store, never for a token
  kTokenControl,  // on a pool of its own: waits for a token, which may hang
  kToken,         // begins on the receiving thread, ends on whichever computes the MAC
};

struct OperationRow {
  Operation operation;
  Lane lane;
  KeyIdForms key_ids;
  // The operation's function, called with messages of exactly its two types.
  void (*run)(Engine& engine, const CallPtr& call, const google::protobuf::Message& request,
              google::protobuf::Message* response, const Done& done);
};

// What is served, in alphabetical order; without the operations of other usages.
std::span<const OperationRow> Operations();
// INVARIANT: there is such a row; a front asks only for what it has.
const OperationRow& Row(Operation operation);

// The whole way of a request behind a front: room in the audit log → validate → run in the
// operation's lane → record → tell `engine.on_finished` → `done`. Waits, as everything that ends a
// call does, for a disk that hangs under the audit log. `request` and `response` must live until
// `done` has run. Never throws: what an operation throws is answered as KMSInternalException.
void Dispatch(Engine& engine, const CallPtr& call, const google::protobuf::Message& request,
              google::protobuf::Message* response, Done done);

}  // namespace hallmark::app
