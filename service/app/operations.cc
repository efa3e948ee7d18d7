#include "service/app/operations.h"

#include "service/app/guard.h"
#include "service/app/operation_functions.h"
#include "service/app/other_usages.h"
#include "service/app/pipeline.h"
#include "service/app/validation.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace hallmark::app {
namespace {

using google::protobuf::Message;

// How soon a refused control operation may be tried again.
constexpr std::chrono::milliseconds kControlRetry{100};

// Gives an operation's function the table's type. The dispatcher calls it with the operation's own
// messages. Two kinds of functions: those that return their outcome, and those of the token lane.
template <auto function>
struct Erased;

template <class Request, class Response,
          Status (*function)(Engine&, CallContext&, const Request&, Response*)>
struct Erased<function> {
  static void Run(Engine& engine, const CallPtr& call, const Message& request, Message* response,
                  const Done& done) {
    done(Guarded([&] {
      return function(engine, *call, static_cast<const Request&>(request),
                      static_cast<Response*>(response));
    }));
  }
};

// `function` hands `done` on only when nothing can throw any more, so a throw means that it was not
// called yet.
template <class Request, class Response,
          void (*function)(Engine&, const CallPtr&, const Request&, Response*, Done)>
struct Erased<function> {
  static void Run(Engine& engine, const CallPtr& call, const Message& request, Message* response,
                  const Done& done) {
    const Status begun = Guarded([&]() -> Status {
      function(engine, call, static_cast<const Request&>(request), static_cast<Response*>(response),
               done);
      return {};
    });
    if (!begun) done(begun);
  }
};

constexpr std::array kOperations = {
#define HALLMARK_SERVED(name, lane, forms) \
  OperationRow{Operation::k##name, Lane::lane, KeyIdForms::forms, &Erased<&name>::Run},
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED
};

// INVARIANT: a row's function is the one for its request.
template <class Request>
constexpr Status (*kRefuse)(Engine&, CallContext&, const Request&,
                            v1::UseOtherwiseResponse*) = &RefuseOtherUsage;

constexpr std::array kOtherUsages = {
#define HALLMARK_SERVED(name, lane, forms)
#define HALLMARK_OTHER_USAGE(name, request)                                \
  OperationRow{Operation::k##name, Lane::kMemory, KeyIdForms::kKeyOrAlias, \
               &Erased<kRefuse<v1::request>>::Run},
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED
};

// On the control pool: what was decided at arrival may have been waiting.
void RunControl(Engine& engine, const OperationRow& row, const CallPtr& call,
                const Message& request, Message* response, const Done& done) {
  if (engine.clock.SteadyNow() >= call->deadline || call->cancelled) {
    done(Fail(Exception::kDependencyTimeoutException,
              "The call's deadline passed before its turn came; nothing was changed."));
    return;
  }
  Result<std::shared_ptr<const Principal>> caller = CurrentCaller(engine, *call);
  if (!caller) {
    done(Unexpected(std::move(caller).error()));
    return;
  }
  call->caller = *std::move(caller);
  row.run(engine, call, request, response, done);
}

// Telling the log must not cost the caller its answer.
void Tell(const Engine& engine, const CallContext& call, const Status& status) noexcept {
  static_cast<void>(Guarded([&]() -> Status {
    engine.on_finished(call, status);
    return {};
  }));
}

}  // namespace

std::span<const OperationRow> Operations() { return kOperations; }

const OperationRow& Row(Operation operation) {
  for (const OperationRow& row : kOperations) {
    if (row.operation == operation) return row;
  }
  for (const OperationRow& row : kOtherUsages) {
    if (row.operation == operation) return row;
  }
  std::abort();  // a front serves only what is in the table
}

void Dispatch(Engine& engine, const CallPtr& call, const Message& request, Message* response,
              Done done) {
  // Before anything is done for the call: what could not be recorded must not happen.
  Result<std::unique_ptr<AuditSink::Slot>> reserved = ReserveRecord(engine.audit, &request);
  if (!reserved) {
    const Status refused = Unexpected(std::move(reserved).error());
    Tell(engine, *call, refused);
    return done(refused);
  }
  const std::shared_ptr<AuditSink::Slot> slot = *std::move(reserved);
  Done finish = [&engine, call, response, slot, done = std::move(done)](const Status& status) {
    const Status answer = Record(slot.get(), EventOf(*call), status, response);
    Tell(engine, *call, answer);
    done(answer);
  };
  if (const Status valid = Validate(request); !valid) {
    finish(valid);
    return;
  }
  const OperationRow& row = Row(call->operation);
  if (row.lane == Lane::kMemory || row.lane == Lane::kToken) {
    row.run(engine, call, request, response, finish);
    return;
  }
  WorkerPool& pool = row.lane == Lane::kControl ? engine.control : engine.token_control;
  const bool taken = pool.Submit([&engine, &row, call, &request, response, finish] {
    RunControl(engine, row, call, request, response, finish);
  });
  if (!taken) finish(Unexpected(Throttled(kControlRetry, "the control queue is full")));
}

}  // namespace hallmark::app
