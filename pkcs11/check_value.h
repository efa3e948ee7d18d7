// The key check value: tells a key from an impostor under the same CKA_ID.
#pragma once

#include "keystate/key_spec.h"
#include "keystate/records.h"
#include "pkcs11/session.h"

#include <string_view>

namespace hallmark::pkcs11 {

// The check value is the SHA-256 of the full HMAC tag of this text under the key. Never changed: it
// is compared with what was stored when the key was made.
inline constexpr std::string_view kCheckValueText = "hallmark key check value 1";

CkResult<KeyCheckValue> ComputeCheckValue(Session& session, CK_MECHANISM_TYPE mechanism,
                                          CK_OBJECT_HANDLE key, KeySpec spec);

}  // namespace hallmark::pkcs11
