// Sealer under a key derived from the token's anchor.
#pragma once

#include "keystate/sealer.h"
#include "keystate/secret.h"

#include <memory>
#include <string_view>

namespace hallmark::pkcs11 {

// The tag of this text under the anchor is the sealing key: whoever has the token can seal, and
// texts sealed before a restart still open after it.
inline constexpr std::string_view kSealingKeyText = "hallmark sealing key 1";

// `key` is secret and random-looking, 32 bytes.
std::unique_ptr<Sealer> MakeAnchorSealer(SecretBytes key);

}  // namespace hallmark::pkcs11
