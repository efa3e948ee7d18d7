// The operations of KMS on keys of other usages: every one ends with the refusal that an HMAC key
// gets.
#pragma once

#include "hallmark/v1/other_usages.pb.h"
#include "keystate/result.h"
#include "service/app/call_context.h"
#include "service/app/engine.h"

namespace hallmark::app {

// Judged as any call that names a key, up to its usage. By what the request is depends which:
// a ciphertext that is said to be of an HMAC key is of none, and one of no key is no ciphertext.
//
// Errors: those of DecideOnKey; then InvalidKeyUsageException, for GetPublicKey
//   UnsupportedOperationException, for ciphertexts IncorrectKeyException or
//   InvalidCiphertextException.
Status RefuseOtherUsage(Engine& engine, CallContext& call, const v1::UseOtherwiseRequest& request,
                        v1::UseOtherwiseResponse* response);
Status RefuseOtherUsage(Engine& engine, CallContext& call, const v1::DecryptRequest& request,
                        v1::UseOtherwiseResponse* response);
Status RefuseOtherUsage(Engine& engine, CallContext& call, const v1::ReEncryptRequest& request,
                        v1::UseOtherwiseResponse* response);

}  // namespace hallmark::app
