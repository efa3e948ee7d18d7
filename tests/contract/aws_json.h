// Between the notation of kms_json.h and the bodies of the AWS protocol. It shares no code with the
// daemon's codec, so that what both agree on is not one mistake made twice.
#pragma once

#include <google/protobuf/descriptor.h>
#include <nlohmann/json.hpp>

#include <stdexcept>

namespace hallmark::testing {

// A request's body. Throws CaseError for fields of our own and enum numbers, which the protocol
// cannot say; names of enum values may be of nothing.
nlohmann::json ToAwsJson(const nlohmann::json& values, const google::protobuf::Descriptor& type);

struct NotAnAnswer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a body says. Throws NotAnAnswer for what no answer of this type has: a member that KMS does
// not know, a null, a value of another type, bytes that are not strict base64, a list left out.
nlohmann::json FromAwsJson(const nlohmann::json& values, const google::protobuf::Descriptor& type);

}  // namespace hallmark::testing
