#include "service/grpc/grpc_log.h"

#include "keystate/mutex.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <chrono>
#include <memory>
#include <utility>

namespace hallmark::grpc_front {
namespace {

using Sink = std::function<void(const std::string&)>;

constexpr int kLinesPerSecond = 10;

struct State {
  Mutex mu;
  std::shared_ptr<const Sink> sink HALLMARK_GUARDED_BY(mu);
  std::chrono::steady_clock::time_point second_began HALLMARK_GUARDED_BY(mu);
  int lines_this_second HALLMARK_GUARDED_BY(mu) = 0;
};

// Each hook is one function of the process, without a place for a context. Never destroyed:
// gRPC's threads may log until the process ends.
State& GlobalState() {
  static State* const state = new State;
  return *state;
}

std::shared_ptr<const Sink> SinkForOneLine() {
  State& state = GlobalState();
  const auto now = std::chrono::steady_clock::now();
  const MutexLock lock(state.mu);
  if (now - state.second_began >= std::chrono::seconds(1)) {
    state.second_began = now;
    state.lines_this_second = 0;
  }
  if (state.lines_this_second >= kLinesPerSecond) return nullptr;
  ++state.lines_this_second;
  return state.sink;
}

void Write(gpr_log_func_args* line) {
  if (line->severity < GPR_LOG_SEVERITY_ERROR) return;
  if (const auto sink = SinkForOneLine(); sink != nullptr && *sink) (*sink)(line->message);
}

void WriteProtobuf(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/,
                   const std::string& text) {
  if (level < google::protobuf::LOGLEVEL_ERROR) return;
  if (const auto sink = SinkForOneLine(); sink != nullptr && *sink) (*sink)(text);
}

}  // namespace

void SetGrpcLogSink(Sink sink) {
  auto next = std::make_shared<const Sink>(std::move(sink));
  {
    State& state = GlobalState();
    const MutexLock lock(state.mu);
    state.sink.swap(next);
  }
  gpr_set_log_function(&Write);
  google::protobuf::SetLogHandler(&WriteProtobuf);
}

}  // namespace hallmark::grpc_front
