// Processes that use one token log in one after another.
#pragma once

#include "keystate/result.h"
#include "pkcs11/options.h"

#include <filesystem>
#include <string>
#include <utility>

namespace hallmark::pkcs11 {

// SoftHSM empties token.object for a moment at each login (token_files.h): a process that looks
// just then finds no token. So whoever loads the module, looks for the token or logs in holds a
// lock on a file meanwhile. The system gives it back when the process ends, however it ends.
class LoginTurns {
 public:
  // Every turn is granted at once: nobody else uses the token.
  LoginTurns() = default;
  LoginTurns(const std::filesystem::path& directory, const std::string& token_id);

  class Turn {
   public:
    explicit Turn(int fd) : fd_(fd) {}
    Turn(Turn&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    int fd_;
  };
  // Waits some seconds for whoever has the turn.
  // Errors: kConfiguration when the file cannot be used, kTokenError when it is not our turn yet.
  Result<Turn, OpenError> Take() const;

 private:
  std::filesystem::path file_;
};

}  // namespace hallmark::pkcs11
