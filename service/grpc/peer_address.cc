#include "service/grpc/peer_address.h"

#include <cstddef>
#include <utility>

namespace hallmark::grpc_front {

std::string PeerAddress(std::string uri) {
  if (uri.starts_with("ipv4:")) return uri.erase(0, 5);
  if (!uri.starts_with("ipv6:")) return uri;
  uri.erase(0, 5);
  for (const auto& [encoded, plain] : {std::pair{"%5B", "["}, std::pair{"%5D", "]"}}) {
    if (const std::size_t at = uri.find(encoded); at != std::string::npos)
      uri.replace(at, 3, plain);
  }
  return uri;
}

}  // namespace hallmark::grpc_front
