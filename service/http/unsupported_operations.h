// The operations of KMS that Hallmark does not have, whatever key they name.
#pragma once

#include "keystate/error.h"

#include <optional>
#include <string_view>

namespace hallmark::http_front {

struct UnsupportedOperation {
  std::string_view name;  // "ReplicateKey"
  Error refusal;
};

// The operation of this name; nothing if KMS has none that we do not have.
std::optional<UnsupportedOperation> FindUnsupported(std::string_view name);

}  // namespace hallmark::http_front
