// The way to a token: module, URI, and a login that never tries a refused PIN twice.
#pragma once

#include "keystate/random.h"
#include "keystate/result.h"
#include "pkcs11/login_turns.h"
#include "pkcs11/module.h"
#include "pkcs11/options.h"
#include "pkcs11/pin_latch.h"
#include "pkcs11/session.h"
#include "pkcs11/token_files.h"
#include "pkcs11/uri.h"

#include <cstddef>
#include <memory>
#include <optional>

namespace hallmark::pkcs11 {

// A session of a token that is logged in. While it is open the login lasts and handles stay valid,
// so it is never lent.
struct EnteredToken {
  FoundToken token;
  Session session;
};

// Thread-safety: Enter is called by one thread at a time.
class TokenAccess {
 public:
  static Result<TokenAccess, OpenError> Prepare(const TokenOptions& options, RandomSource& random);

  const std::shared_ptr<Module>& module() const { return module_; }
  const TokenUri& uri() const { return uri_; }
  // Token files that a crash had emptied, put back by Prepare.
  std::size_t restored_files() const { return restored_files_; }

  // Finds the token and logs in where nobody is. `previous` is used again if it is still good.
  Result<EnteredToken, OpenError> Enter(std::optional<EnteredToken> previous) const;

 private:
  TokenAccess(std::shared_ptr<Module> module, TokenUri uri, PinLatch latch, TokenFiles files,
              LoginTurns turns, std::size_t restored_files)
      : module_(std::move(module)),
        uri_(std::move(uri)),
        latch_(std::move(latch)),
        files_(std::move(files)),
        turns_(std::move(turns)),
        restored_files_(restored_files) {}
  Result<void, OpenError> LogIn(EnteredToken& entered) const;

  std::shared_ptr<Module> module_;
  TokenUri uri_;
  PinLatch latch_;
  TokenFiles files_;
  LoginTurns turns_;
  std::size_t restored_files_;
};

}  // namespace hallmark::pkcs11
