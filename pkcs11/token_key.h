// Making a key on a token, and proving that it is what was asked for.
#pragma once

#include "keystate/hsm.h"
#include "pkcs11/session.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark::pkcs11 {

struct KeyRequest {
  CkaId id{};
  std::string_view label;
  KeySpec spec = KeySpec::kHmac256;
  bool modifiable = false;
};

struct MadeKey {
  CK_OBJECT_HANDLE handle;
  GeneratedKey key;
};

// Why a key was not made.
struct KeyRefusal {
  // The call that failed; nothing when the token made a key weaker than asked.
  std::optional<CkFault> fault;
  std::string reason;
  // Only if it certainly does not may the key be made again: two objects under one CKA_ID serve
  // nobody.
  bool object_may_exist = true;
  // Of what was made nevertheless.
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
};

// Makes the key, reads its attributes back and computes its check value. A key weaker than asked is
// destroyed. One whose later steps fail stays: its CKA_ID is on record, and reconciliation destroys
// it.
Result<MadeKey, KeyRefusal> MakeKey(Session& session, CK_MECHANISM_TYPE mechanism,
                                    const KeyRequest& request);

// What makes a key that somebody else brought here too weak for us, as "CKA_EXTRACTABLE is true";
// empty: nothing does. That is what lets others use the key without a login, or take its value out,
// whole or in parts by derivation; other usages than MACs are its owner's affair.
CkResult<std::string> FindWeaknessOfForeign(Session& session, CK_OBJECT_HANDLE key);

CkResult<bool> ReadFlag(Session& session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type);

// Makes what a file-backed token wrote durable; does nothing for an empty path.
// Errors: a text that names the path.
Result<void, std::string> SyncFileSystem(const std::filesystem::path& path);

}  // namespace hallmark::pkcs11
