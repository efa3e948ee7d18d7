// Objects that an examination makes on a token.
#pragma once

#include "keystate/key_spec.h"
#include "pkcs11/session.h"

#include <utility>

namespace hallmark::pkcs11 {

// Destroys the object at its end. `session` outlives it.
class TrialObject {
 public:
  TrialObject(Session& session, CK_OBJECT_HANDLE handle) : session_(&session), handle_(handle) {}
  TrialObject(TrialObject&& other) noexcept
      : session_(other.session_), handle_(std::exchange(other.handle_, CK_INVALID_HANDLE)) {}
  TrialObject& operator=(TrialObject&&) = delete;
  ~TrialObject() {
    // Nothing is left to do about a failure: the object has a label that says what it is.
    if (handle_ != CK_INVALID_HANDLE) static_cast<void>(session_->Destroy(handle_));
  }

  CK_OBJECT_HANDLE handle() const { return handle_; }

 private:
  Session* session_;
  CK_OBJECT_HANDLE handle_;
};

// A published key and what it makes of a message: RFC 4231, test case 1, its key padded with zeros
// to the size of the spec, which HMAC does itself.
struct KnownAnswer {
  KeySpec spec;
  const char* message;
  const char* tag_hex;
};
const KnownAnswer& KnownAnswerOf(KeySpec spec);

// That key as a session object.
CkResult<TrialObject> CreateKnownKey(Session& session, KeySpec spec);

}  // namespace hallmark::pkcs11
