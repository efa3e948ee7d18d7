// Computes one MAC after another on a token, and climbs the ladder when the token fails.
#pragma once

#include "pkcs11/connection.h"
#include "pkcs11/mac_queue.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace hallmark::pkcs11 {

class MacSigner final : public MacComputer {
 public:
  explicit MacSigner(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

  Result<MacTag> Compute(const MacTask& task, SteadyTime deadline, const Admission& admit) override;
  void Idle() override { lease_.reset(); }
  void Retire() override { DropLease(); }

 private:
  // In the results below, the outer failure is for the ladder, the inner one for the caller.

  // Admits the task and has the token compute its MAC. `last_admitted` tells the ladder which key
  // failed.
  CkResult<Result<MacTag>> Attempt(const MacTask& task, const Admission& admit,
                                   std::optional<MacKey>* last_admitted);
  // Computes the check value of the object that `found` tells of, and files it.
  CkResult<Result<KeyCheckValue>> Prove(const MacKey& key, CK_MECHANISM_TYPE mechanism,
                                        const KeyHandles::Found& found);
  CkResult<Result<CK_OBJECT_HANDLE>> Locate(const CkaId& id, std::uint64_t generation);

  Result<MacTag> Climb(const MacTask& task, SteadyTime deadline, const Admission& admit);
  CkStatus EnsureLease(SteadyTime deadline);
  void DropLease();
  void DropLeaseAfter(const CkFault& fault);
  // A call failed with its key. True if it had done so under `suspicion` and no other call with the
  // key has served since: then it is the key's doing, which is left alone.
  bool Blame(const MacKey& key, std::uint64_t* suspicion);
  Error Alarm(const CkaId& id, std::uint64_t generation, const std::string& reason);

  std::shared_ptr<Connection> connection_;
  std::optional<Lease> lease_;  // kept from one MAC to the next; declared after what it points into
};

}  // namespace hallmark::pkcs11
