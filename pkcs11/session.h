// One open session.
#pragma once

#include "keystate/bytes.h"
#include "keystate/hsm.h"
#include "keystate/secret.h"
#include "pkcs11/attributes.h"
#include "pkcs11/ckr.h"
#include "pkcs11/cryptoki.h"

#include <cstddef>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {

// A read-write session; closes on destruction. Move-only. Not thread-safe: a session carries one
// active operation at a time.
class Session {
 public:
  // `functions` outlives the session: modules are never unloaded.
  static CkResult<Session> Open(const CK_FUNCTION_LIST& functions, CK_SLOT_ID slot);

  Session(Session&& other) noexcept
      : functions_(std::exchange(other.functions_, nullptr)), handle_(other.handle_) {}
  Session& operator=(Session&& other) noexcept;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { Close(); }

  // The module was finalised, which ended the session: its handle may be another's by now.
  void Forget() noexcept { functions_ = nullptr; }

  CkResult<bool> LoggedIn() const;
  CkStatus LogIn(const SecretBytes& pin);

  // An HMAC over `message`.
  // Errors: CKR_SIGNATURE_LEN_RANGE (kData) when the tag does not have `mac_bytes` bytes.
  CkResult<MacTag> Sign(CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE key, ByteView message,
                        std::size_t mac_bytes);

  CkResult<CK_OBJECT_HANDLE> GenerateSecret(AttributeTemplate& attributes);
  CkResult<CK_OBJECT_HANDLE> CreateObject(AttributeTemplate& attributes);
  // A copy with these attributes in place of the original's.
  CkResult<CK_OBJECT_HANDLE> Copy(CK_OBJECT_HANDLE object, AttributeTemplate& attributes);
  CkStatus SetAttributes(CK_OBJECT_HANDLE object, AttributeTemplate& attributes);
  CkStatus Destroy(CK_OBJECT_HANDLE object);
  CkResult<Bytes> GenerateRandom(std::size_t size_bytes);
  CkResult<std::vector<CK_OBJECT_HANDLE>> Find(AttributeTemplate& attributes);
  CkResult<Bytes> ReadAttribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
  // A number, for which the buffer has its very size: NSS calls a larger one too small.
  // Errors: CKR_ATTRIBUTE_VALUE_INVALID when what is there is no number.
  CkResult<CK_ULONG> ReadNumber(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);

 private:
  Session(const CK_FUNCTION_LIST* functions, CK_SESSION_HANDLE handle)
      : functions_(functions), handle_(handle) {}
  void Close() noexcept;

  const CK_FUNCTION_LIST* functions_;  // null when moved from or ended
  CK_SESSION_HANDLE handle_;
};

}  // namespace hallmark::pkcs11
