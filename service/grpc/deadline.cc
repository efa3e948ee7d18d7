#include "service/grpc/deadline.h"

#include <grpc/support/time.h>

namespace hallmark::grpc_front {

SteadyTime DeadlineOf(const grpc::ServerContextBase& context, SteadyTime now,
                      std::chrono::milliseconds longest) {
  // In gRPC's own type: as a time_point, "no deadline" and very long ones overflow.
  const gpr_timespec deadline = context.raw_deadline();
  const gpr_timespec limit = gpr_time_add(gpr_now(deadline.clock_type),
                                          gpr_time_from_millis(longest.count(), GPR_TIMESPAN));
  if (gpr_time_cmp(deadline, limit) >= 0) return now + longest;
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  return now + std::chrono::milliseconds(gpr_time_to_millis(left));
}

}  // namespace hallmark::grpc_front
