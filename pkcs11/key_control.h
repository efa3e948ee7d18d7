// Makes and destroys keys, and draws random bytes, on threads that may never come back from the
// token.
#pragma once

#include "keystate/hsm.h"
#include "pkcs11/connection.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace hallmark::pkcs11 {

// Every operation runs on a thread of its own; its caller waits until the deadline and no longer.
// An operation that comes back later goes on to its end, unseen: what it made is listed, and its
// CKA_ID is on record. Until then no other operation on the same CKA_ID begins, since it could not
// know what it will find.
//
// Errors: DependencyTimeoutException when the token is out, fails or does not answer in time.
// Thread-safety: every method may be called from any thread.
class KeyControl {
 public:
  explicit KeyControl(std::shared_ptr<Connection> connection);

  // As Hsm.
  Result<GeneratedKey> Generate(const CkaId& id, KeySpec spec, SteadyTime deadline);
  Status Destroy(const CkaId& id, SteadyTime deadline);
  Result<ExaminedKey> Examine(const CkaId& id, KeySpec spec, SteadyTime deadline);
  Result<Bytes> Random(std::size_t size_bytes, SteadyTime deadline);

  // Waits for operations under way, but not for those that are stuck.
  void WaitUntilIdle(SteadyTime deadline);

 private:
  class Gate;

  // `id`: the object that the operation is about, if it is about one.
  template <class T>
  Result<T> OnThread(const std::optional<CkaId>& id, SteadyTime deadline,
                     std::function<Result<T>()> operation);

  const std::shared_ptr<Connection> connection_;
  const std::shared_ptr<Gate> gate_;
};

}  // namespace hallmark::pkcs11
