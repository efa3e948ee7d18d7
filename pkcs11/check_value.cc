#include "pkcs11/check_value.h"

#include <openssl/sha.h>

namespace hallmark::pkcs11 {

CkResult<KeyCheckValue> ComputeCheckValue(Session& session, CK_MECHANISM_TYPE mechanism,
                                          CK_OBJECT_HANDLE key, KeySpec spec) {
  HALLMARK_ASSIGN_OR_RETURN(const MacTag tag, session.Sign(mechanism, key, AsBytes(kCheckValueText),
                                                           Row(spec).mac_bytes));
  KeyCheckValue value;
  static_assert(sizeof value == SHA256_DIGEST_LENGTH);
  SHA256(reinterpret_cast<const unsigned char*>(tag.bytes().data()), tag.bytes().size(),
         reinterpret_cast<unsigned char*>(value.data()));
  return value;
}

}  // namespace hallmark::pkcs11
