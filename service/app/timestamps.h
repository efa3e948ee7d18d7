// Times of rules and records as the schema's Timestamp.
#pragma once

#include "keystate/clock.h"

#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

namespace hallmark::app {

inline google::protobuf::Timestamp ToProto(WallTime time) {
  return google::protobuf::util::TimeUtil::MillisecondsToTimestamp(time.time_since_epoch().count());
}

}  // namespace hallmark::app
