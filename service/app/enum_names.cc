#include "service/app/enum_names.h"

#include "proto/kms_names.h"

#include <cstdlib>

namespace hallmark::app {

std::optional<KeySpec> FromProto(v1::KeySpec spec) {
  for (const KeySpecRow& row : kKeySpecs) {
    if (ToProto(row.spec) == spec) return row.spec;
  }
  return std::nullopt;
}

v1::KeySpec ToProto(KeySpec spec) {
  switch (spec) {
    case KeySpec::kHmac224:
      return v1::KEY_SPEC_HMAC_224;
    case KeySpec::kHmac256:
      return v1::KEY_SPEC_HMAC_256;
    case KeySpec::kHmac384:
      return v1::KEY_SPEC_HMAC_384;
    case KeySpec::kHmac512:
      return v1::KEY_SPEC_HMAC_512;
  }
  std::abort();
}

MacAlgorithm FromProto(v1::MacAlgorithm algorithm) {
  for (const KeySpecRow& row : kKeySpecs) {
    if (ToProto(row.algorithm) == algorithm) return row.algorithm;
  }
  std::abort();
}

v1::MacAlgorithm ToProto(MacAlgorithm algorithm) {
  switch (algorithm) {
    case MacAlgorithm::kHmacSha224:
      return v1::MAC_ALGORITHM_HMAC_SHA_224;
    case MacAlgorithm::kHmacSha256:
      return v1::MAC_ALGORITHM_HMAC_SHA_256;
    case MacAlgorithm::kHmacSha384:
      return v1::MAC_ALGORITHM_HMAC_SHA_384;
    case MacAlgorithm::kHmacSha512:
      return v1::MAC_ALGORITHM_HMAC_SHA_512;
  }
  std::abort();
}

v1::KeyState ToProto(KeyState state) {
  switch (state) {
    case KeyState::kEnabled:
      return v1::KEY_STATE_ENABLED;
    case KeyState::kDisabled:
      return v1::KEY_STATE_DISABLED;
    case KeyState::kPendingDeletion:
      return v1::KEY_STATE_PENDING_DELETION;
    case KeyState::kPendingImport:
      return v1::KEY_STATE_PENDING_IMPORT;
  }
  std::abort();
}

v1::OriginType ToProto(Origin origin) {
  switch (origin) {
    case Origin::kAwsKms:
      return v1::ORIGIN_TYPE_AWS_KMS;
    case Origin::kExternal:
      return v1::ORIGIN_TYPE_EXTERNAL;
  }
  std::abort();
}

std::string_view KmsNameOf(v1::GrantOperation operation) {
  return proto::KmsName(*v1::GrantOperation_descriptor()->FindValueByNumber(operation));
}

v1::GrantOperation ToGrantOperation(Operation operation) {
  const auto* value = proto::FindByKmsName(*v1::GrantOperation_descriptor(), Name(operation));
  if (value == nullptr) std::abort();
  return static_cast<v1::GrantOperation>(value->number());
}

}  // namespace hallmark::app
