// tiny_server_process NOFILE MAX_CONNECTIONS: serves with these limits; 0 connections: what fits.
// Prints its address, then the PEM of its CA, of a client and of the client's key, each ended by a
// line
// "."; answers every line on standard input with its counts, and ends with it.
#include "service/net/connection_acceptor.h"
#include "tests/service/grpc/tiny_server.h"

#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  const auto descriptors = static_cast<rlim_t>(std::atoi(argv[1]));
  const rlimit limit{descriptors, descriptors};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 71;

  hallmark::grpc_front::ServerOptions options;
  options.handshake_timeout = std::chrono::seconds(60);  // silence ends when the test says so
  const auto max_connections = static_cast<std::size_t>(std::atoi(argv[2]));
  const hallmark::net::ConnectionLimits limits{
      max_connections == 0 ? hallmark::net::FitToDescriptorLimit(1000) : max_connections, 1000};
  hallmark::testing::TinyServer server(limits, options);
  const hallmark::testing::PemPair client = server.authority().IssueClient();
  std::cout << server.door().address() << '\n'
            << server.authority().certificate() << ".\n"
            << client.certificate << ".\n"
            << client.private_key << "." << std::endl;

  for (std::string line; std::getline(std::cin, line);) {
    const auto counts = server.door().counts();
    std::cout << counts.open << ' ' << counts.accepted << ' ' << counts.refused << ' '
              << counts.accept_failures << std::endl;
  }
  return 0;
}
