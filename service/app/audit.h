// The port to the record of every decision.
#pragma once

#include "keystate/result.h"
#include "service/app/call_context.h"

#include <google/protobuf/message.h>

#include <memory>

namespace hallmark::app {

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
    virtual Status Write(const CallContext& call, const Status& outcome) = 0;
  };

  virtual ~AuditSink() = default;

  // Sets room aside, before anything is done for the call. `request` is looked at now and not
  // later.
  //
  // Errors: KMSInternalException while nothing can be recorded.
  virtual Result<std::unique_ptr<Slot>> Reserve(const CallContext& call,
                                                const google::protobuf::Message& request) = 0;
};

}  // namespace hallmark::app
