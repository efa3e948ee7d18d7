// From where a call came.
#pragma once

#include <string>

namespace hallmark::grpc_front {

// gRPC's name of a peer without its scheme: "ipv4:127.0.0.1:41234" → "127.0.0.1:41234",
// "ipv6:%5B::1%5D:41234" → "[::1]:41234". Others stay as they are: "unix:".
std::string PeerAddress(std::string uri);

}  // namespace hallmark::grpc_front
