// The yardsticks' key: what hallmarkd has, without hallmarkd.
#pragma once

#include "keystate/bytes.h"
#include "keystate/hsm.h"
#include "pkcs11/cryptoki.h"
#include "tests/support/softhsm_token.h"

namespace hallmark::bench {

// An HMAC_256 key on a fresh SoftHSM token: private, sensitive and in a file, like every key that
// hallmarkd makes there. Logged in while it lives.
class BenchKey {
 public:
  BenchKey();

  CK_SLOT_ID slot() const { return token_.slot(); }
  CK_OBJECT_HANDLE handle() const { return handle_; }

 private:
  testing::SoftHsmToken token_;
  testing::TestSession login_;
  CK_OBJECT_HANDLE handle_;
};

// A session that signs with the key; for one thread. Aborts on failure: a yardstick that fails
// measures nothing.
class BenchSession {
 public:
  explicit BenchSession(const BenchKey& key);
  ~BenchSession();
  BenchSession(const BenchSession&) = delete;
  BenchSession& operator=(const BenchSession&) = delete;

  // C_SignInit and C_Sign, nothing else.
  MacTag Sign(ByteView message);

 private:
  const CK_OBJECT_HANDLE key_;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

}  // namespace hallmark::bench
