#include "service/grpc/tls.h"

#include <cstdlib>

namespace hallmark::grpc_front {

void RestrictTlsToVersion13() {
  // OpenSSL accepts the name, but a server without a pre-shared-key callback never agrees on it.
  // The suites of TLS 1.3 are another list, which gRPC does not touch.
  setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES256-GCM-SHA384", /*replace=*/1);
}

}  // namespace hallmark::grpc_front
