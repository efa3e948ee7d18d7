#include "service/wire/json_codec.h"

#include <google/protobuf/util/json_util.h>

namespace hallmark::wire {

Status FromKmsJson(std::string_view json, google::protobuf::Message* message) {
  const auto read =
      google::protobuf::util::JsonStringToMessage(json.empty() ? "{}" : std::string(json), message);
  if (!read.ok()) return Fail(Exception::kValidationException, "not JSON");
  return {};
}

std::string ToKmsJson(const google::protobuf::Message& message) {
  if (message.GetDescriptor()->field_count() == 0) return {};
  std::string json;
  static_cast<void>(google::protobuf::util::MessageToJsonString(message, &json));
  return json;
}

}  // namespace hallmark::wire
