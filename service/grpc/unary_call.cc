#include "service/grpc/unary_call.h"

#include <cstdlib>

namespace hallmark::grpc_front {

void UnaryCall::Answer(const grpc::Status& status) noexcept {
  // A call is answered once. A second answer would be written into memory that gRPC has freed.
  if (answered_.exchange(true)) std::abort();
  Finish(status, finished_tag());
}

}  // namespace hallmark::grpc_front
