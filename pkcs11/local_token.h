// A token that is called in this process.
#pragma once

#include "keystate/hsm.h"
#include "keystate/random.h"
#include "keystate/secret.h"
#include "pkcs11/connection.h"
#include "pkcs11/options.h"

#include <functional>
#include <memory>

namespace hallmark::pkcs11 {

struct LocalToken {
  std::unique_ptr<Hsm> hsm;
  std::shared_ptr<Connection> connection;  // the hsm's
  SecretBytes sealing_key;
};

// As Open, whatever options.hosts says. With hosts, logins wait for those of other processes.
Result<LocalToken, OpenError> OpenLocal(const TokenOptions& options, const TokenRecord& anchor,
                                        RandomSource& random, EventSink events,
                                        std::function<void()> too_many_hung);

}  // namespace hallmark::pkcs11
