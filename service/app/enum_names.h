// The enums of the schema as values of the rules; proto/kms_names.h has their spelling.
#pragma once

#include "hallmark/v1/kms.pb.h"
#include "keystate/key_spec.h"
#include "keystate/operation.h"
#include "keystate/records.h"

#include <optional>
#include <string_view>

namespace hallmark::app {

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
