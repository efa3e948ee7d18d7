// Connections without gRPC: silent, talking nonsense, or openssl's.
#pragma once

#include "tests/support/test_daemon.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::testing {

// An open TCP connection to "127.0.0.1:port"; closes on destruction. Aborts where the machine, not
// the server, refuses.
class RawConnection {
 public:
  explicit RawConnection(const std::string& target);
  ~RawConnection();
  RawConnection(RawConnection&& other) noexcept;
  RawConnection& operator=(RawConnection&&) = delete;

  void Write(std::string_view text) const;
  // Whether the server closes the connection in time; what it says before is read and dropped.
  bool IsClosedWithin(std::chrono::milliseconds time) const;
  // What the server says until it closes the connection; aborts if that takes ten seconds.
  std::string ReadToEnd() const;

 private:
  int fd_ = -1;
};

// What `openssl s_client` says about a TLS handshake; exit code 0 for a connection that was made.
Finished HandshakeByOpenssl(const TestDaemon& daemon, const PemPair& credentials,
                            const std::vector<std::string>& flags);

}  // namespace hallmark::testing
