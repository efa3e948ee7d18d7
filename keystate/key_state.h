// Key states × operations.
#pragma once

#include "keystate/operation.h"
#include "keystate/records.h"
#include "keystate/result.h"

#include <string_view>

namespace hallmark {

// "Enabled", as in KeyMetadata.
std::string_view Name(KeyState state);
std::string_view Name(Origin origin);

// Which of two keys an operation speaks of; only UpdateAlias has two.
enum class KeyRole { kTarget, kPreviousTarget };

// Whether `operation` may run on a key of this origin in this state.
//
// Errors: DisabledException when the key is disabled; KMSInvalidStateException in every other
//   forbidden state; UnsupportedOperationException where the origin or the key spec rules the
//   operation out; InvalidKeyUsageException where keys of another usage have it. Texts begin with
//   `key_arn` where KMS's do.
// Source: KMS developer guide, "Key states of AWS KMS keys", corrected where a recording of the
//   real service exists; laid out in keystate/README.md.
Status CheckState(Operation operation, KeyState state, Origin origin, std::string_view key_arn,
                  KeyRole role = KeyRole::kTarget);

// What CancelKeyDeletion makes of a key: never Enabled, whatever it was before.
// Source: KMS API reference, CancelKeyDeletion; recordings of imported keys.
KeyState StateAfterCancellation(bool has_material);

}  // namespace hallmark
