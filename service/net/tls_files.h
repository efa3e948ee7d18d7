// Certificates and keys as operators put them into files.
#pragma once

#include "keystate/result.h"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace hallmark::net {

struct TlsFiles {
  std::filesystem::path certificate;  // the server's, with its chain
  std::filesystem::path private_key;
  std::filesystem::path client_ca;
  // A folder with a file <trust domain>.pem for each SPIFFE trust domain, its CAs; empty: none.
  std::filesystem::path trust_domains{};
};

// The contents of TlsFiles, found fit to be served; PEM.
struct TlsMaterial {
  std::string certificate_chain;
  std::string private_key;
  // Every CA that may have issued a client's certificate.
  std::string client_ca;
  // Of the server's own certificate, for people: "5A0C…", as openssl prints it, and the UTC time
  // "2026-11-22T08:18:00Z".
  std::string serial;
  std::string expires;
  // Those of them that speak for a SPIFFE trust domain, by its name.
  std::map<std::string, std::string, std::less<>> trust_domains{};
  // Trust domains whose CAs are all over or not valid yet: their workloads are refused.
  std::vector<std::string> trust_domains_over{};
};

// Reads the files and checks them against each other and the clock, since a front would only
// refuse each connection later.
//
// Errors: one line that names the file, what is wrong with it and the remedy.
Result<TlsMaterial, std::string> ReadTlsFiles(const TlsFiles& files);

}  // namespace hallmark::net
