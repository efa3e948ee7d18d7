// Remembers, across restarts, that the token refused a PIN.
#pragma once

#include "keystate/result.h"
#include "keystate/secret.h"

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>

namespace hallmark::pkcs11 {

// A token locks its user out after a few wrong PINs, so a wrong PIN must not be tried by every
// restart. The latch is a file with a salted, slow hash of the refused PIN: while the PIN is the
// same, it is not tried again.
//
// Thread-safety: none; used by whoever holds the turn to log in.
class PinLatch {
 public:
  using Salt = std::array<std::byte, 16>;

  // `salt` must be random; it is used when the latch is set.
  PinLatch(const std::filesystem::path& directory, const std::string& token_id, const Salt& salt);

  const std::filesystem::path& file() const { return file_; }

  enum class Verdict {
    kOpen,        // no PIN was refused
    kSamePin,     // this very PIN was refused
    kChangedPin,  // another PIN was refused: someone acted on it
    kUnreadable,  // the file is there but says nothing: as good as kSamePin
  };
  Verdict Judge(const SecretBytes& pin) const;

  // Durable when it returns. Errors: a text that names the file.
  Result<void, std::string> Set(const SecretBytes& pin) const;
  // Whether `Set` could write its file; asked before a PIN is tried.
  bool Writable() const;
  void Drop() const;

 private:
  std::filesystem::path file_;
  Salt salt_;
};

}  // namespace hallmark::pkcs11
