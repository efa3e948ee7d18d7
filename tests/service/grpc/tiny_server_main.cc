// tiny_server_process NOFILE MAX_CONNECTIONS: serves with these limits; 0 connections: what fits.
// Prints its address, then the PEM of its CA, of a client and of the client's key, each ended by a
// line
// "."; answers every line on standard input with its counts, and ends with it.
#include "service/net/connection_acceptor.h"
#include "tests/service/grpc/tiny_server.h"

#include <sys/resource.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <iostream>

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

  // Not by iostreams: UBSan needs a descriptor to tell whether a stream is one, and tests leave
  // none.
  std::array<char, 64> line{};
  while (std::fgets(line.data(), static_cast<int>(line.size()), stdin) != nullptr) {
    const auto counts = server.door().counts();
    std::printf("%zu %llu %llu %llu\n", counts.open,
                static_cast<unsigned long long>(counts.accepted),
                static_cast<unsigned long long>(counts.refused),
                static_cast<unsigned long long>(counts.accept_failures));
    std::fflush(stdout);
  }
  return 0;
}
