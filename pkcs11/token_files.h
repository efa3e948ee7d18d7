// A copy of the one file whose loss is the loss of a SoftHSM token.
#pragma once

#include "keystate/result.h"

#include <cstddef>
#include <filesystem>
#include <string>

namespace hallmark::pkcs11 {

// SoftHSM keeps what decrypts every key of a token in one file, token.object, and writes it anew in
// place at every login. A process that is killed meanwhile leaves it empty: the token is gone, and
// every key with it. So a copy is kept, as secret as the file itself, and put back where the file
// is found empty.
//
// Does nothing where the token's files are not configured or not SoftHSM's.
class TokenFiles {
 public:
  // `sync_path` holds the directories of the tokens; empty: none.
  TokenFiles(std::filesystem::path sync_path, const std::filesystem::path& state_directory);

  // Puts back what is empty; how many files that were. To be called before the module looks at
  // them.
  //
  // Errors: the thing, the reason and the remedy.
  Result<std::size_t, std::string> Restore() const;

  // Makes the copies durable. To be called before a login.
  //
  // Errors: the thing, the reason and the remedy; then no login must be tried.
  Result<void, std::string> Keep() const;

 private:
  std::filesystem::path sync_path_;
  std::filesystem::path copies_;
};

}  // namespace hallmark::pkcs11
