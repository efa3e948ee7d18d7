// The KMS spelling of the schema's enums, and their meaning to the rules.
#pragma once

#include "hallmark/v1/kms.pb.h"
#include "keystate/key_spec.h"
#include "keystate/operation.h"
#include "keystate/records.h"

#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>
#include <string_view>

namespace hallmark::app {

// "HMAC_256" for KEY_SPEC_HMAC_256, "Enabled" for KEY_STATE_ENABLED.
std::string_view KmsName(const google::protobuf::EnumValueDescriptor& value);

// Null unless `name` is the KMS spelling of a value other than the unspecified one.
const google::protobuf::EnumValueDescriptor* FindByKmsName(
    const google::protobuf::EnumDescriptor& type, std::string_view name);

// "[HMAC_SHA_224, HMAC_SHA_256, …]", as an enum violation lists them.
std::string KmsNames(const google::protobuf::EnumDescriptor& type);

// Nothing for a spec that Hallmark does not make.
std::optional<KeySpec> FromProto(v1::KeySpec spec);
v1::KeySpec ToProto(KeySpec spec);
// INVARIANT: the value has passed validation.
MacAlgorithm FromProto(v1::MacAlgorithm algorithm);
v1::MacAlgorithm ToProto(MacAlgorithm algorithm);
v1::KeyState ToProto(KeyState state);
v1::OriginType ToProto(Origin origin);
// "GenerateMac"
std::string_view KmsNameOf(v1::GrantOperation operation);
// INVARIANT: a grant can allow the operation.
v1::GrantOperation ToGrantOperation(Operation operation);

}  // namespace hallmark::app
