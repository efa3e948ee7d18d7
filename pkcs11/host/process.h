// A token host as a process: starting it, ending it.
#pragma once

#include "keystate/result.h"
#include "pkcs11/options.h"

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace hallmark::pkcs11::host {

// Where a host finds its end of the socket.
inline constexpr int kHostSocket = 3;

// Killed on destruction, if it has not ended, but not waited for: a process that is stuck in its
// driver may not end for long. Not thread-safe, but for Kill.
class Process {
 public:
  // Runs the program with standard error, one end of a socket and nothing else of ours. The calling
  // thread must live as long as the process, which is killed with it. `socket` is our end then.
  // Errors: the thing, the reason and the remedy.
  static Result<Process, std::string> Start(const std::filesystem::path& program, int* socket);
  Process(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  void Kill() const;
  // True once it has ended and nothing is left of it.
  bool Reap();

 private:
  explicit Process(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  bool reaped_ = false;
};

// options.host_program, or what stands beside the running program.
std::filesystem::path ProgramOf(const TokenOptions& options);

}  // namespace hallmark::pkcs11::host
