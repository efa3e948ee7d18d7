// Hsm on a PKCS#11 token.
#pragma once

#include "keystate/hsm.h"
#include "keystate/random.h"
#include "keystate/result.h"
#include "keystate/sealer.h"
#include "pkcs11/options.h"

#include <functional>
#include <memory>

namespace hallmark::pkcs11 {

struct OpenToken {
  std::unique_ptr<Hsm> hsm;
  // Seals with keys derived from the anchor's MACs.
  std::unique_ptr<Sealer> sealer;
};

// Loads the module, finds the token by its URI, logs in once, proves the token by its anchor and
// scans its keys. `anchor` is what the store knows of this token. `too_many_hung` is called once if
// more calls hang than may: only another process can help. It must not block.
Result<OpenToken, OpenError> Open(const TokenOptions& options, const TokenRecord& anchor,
                                  RandomSource& random, EventSink events,
                                  std::function<void()> too_many_hung = nullptr);

// Makes the anchor key on a token that has none known to us and returns the record to store.
Result<TokenRecord, OpenError> InitToken(const TokenOptions& options, RandomSource& random);

}  // namespace hallmark::pkcs11
