// Recognises callers by AWS Signature Version 4.
#pragma once

#include "keystate/clock.h"
#include "keystate/principal_directory.h"
#include "keystate/sealer.h"
#include "service/authn/replay_guard.h"
#include "service/authn/signature_authenticator.h"
#include "service/authn/signature_marks.h"
#include "service/authn/signing_keys.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace hallmark::authn {

// What we computed for a request whose signature is another one; to be compared with what the
// client signed. Values of headers that may hold secrets are left out. Borrows everything.
struct SignatureMismatch {
  std::string_view access_key_id;
  std::string_view canonical_request;
  // Made of the whole canonical request, so its last line may be another hash than that of the text
  // above.
  std::string_view string_to_sign;
};

struct SigV4Options {
  std::string region;
  // A signature counts more than once for operations that change something, too.
  bool allow_replay = false;
  // Signing keys that are kept, one for an access key.
  std::size_t max_signing_keys = 512;
  ReplayLimits replay{};
  // For the log's debug lines; called by the thread that brought the request, if it wants them
  // then: they take as long as the check itself.
  std::function<bool()> wants_mismatch = [] { return false; };
  std::function<void(const SignatureMismatch&)> on_mismatch{};
};

// In which order what is checked, with which refusals: service/authn/README.md.
class SigV4Authenticator final : public SignatureAuthenticator {
 public:
  // How far the time of a signature may be from ours, before or after.
  static constexpr std::chrono::minutes kWindow{5};
  static constexpr std::string_view kService = "kms";

  // All but the options outlive it.
  SigV4Authenticator(SigV4Options options, const PrincipalDirectory& principals,
                     const Sealer& sealer, SignatureMarks& marks, const Clock& clock);

  Result<SignedCaller> Authenticate(const SignedRequest& request) override;
  Status CountOnce(const SignedCaller& caller) override;

 private:
  Status CheckScope(const CredentialScope& scope, SigningTime signed_at) const;
  void ReportMismatch(const SignedRequest& request, const SignatureClaim& claim,
                      std::string_view payload_hash, std::string_view string_to_sign) const;

  const SigV4Options options_;
  const PrincipalDirectory& principals_;
  const Clock& clock_;
  SigningKeys keys_;
  ReplayGuard replays_;
};

}  // namespace hallmark::authn
