// hallmark-token-host: calls one PKCS#11 token for hallmarkd, which starts it.
#include "pkcs11/host/process.h"
#include "pkcs11/host/token_host.h"
#include "service/system/system.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <csignal>
#include <cstdio>
#include <exception>

int main() {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(hallmark::pkcs11::host::kHostSocket, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    static_cast<void>(
        std::fputs("hallmark-token-host: hallmarkd starts this; see hosts in its "
                   "configuration\n",
                   stderr));
    return EX_USAGE;
  }
  // A core dump would hold the PIN.
  const rlimit none{0, 0};
  static_cast<void>(::setrlimit(RLIMIT_CORE, &none));
  static_cast<void>(::prctl(PR_SET_DUMPABLE, 0));
  // Signals for the daemon reach its whole group. It ends us when it has answered its callers.
  for (const int signal : {SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGXFSZ}) {
    static_cast<void>(std::signal(signal, SIG_IGN));
  }
  try {
    hallmark::service::OsRandom random;
    return hallmark::pkcs11::host::ServeToken(hallmark::pkcs11::host::kHostSocket, random);
  } catch (const std::exception& thrown) {
    static_cast<void>(std::fprintf(stderr, "hallmark-token-host: %s\n", thrown.what()));
    return EX_SOFTWARE;
  }
}
