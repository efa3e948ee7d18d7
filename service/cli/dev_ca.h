// Client certificates from the development CA that quickstart makes. A production site has its own.
#pragma once

#include "keystate/records.h"
#include "keystate/result.h"

#include <chrono>
#include <filesystem>
#include <string>

namespace hallmark::cli {

inline constexpr std::chrono::days kClientCertificateLifetime{90};

struct ClientCertificate {
  std::filesystem::path certificate_file;
  std::filesystem::path private_key_file;
  CertificateFingerprint fingerprint{};
};

// Makes an EC P-256 key and a certificate for TLS clients, signed with `tls_directory`/ca.pem and
// ca.key. Writes <name>.pem and <name>.key there, 0600, whole or not at all; if either exists
// already, <name>-2 is tried, and so on. The name is only a label: no certificate makes a
// principal.
//
// The error is one line with the file, the reason and the remedy.
Result<ClientCertificate, std::string> IssueClientCertificate(
    const std::filesystem::path& tls_directory, const std::string& name);

// Takes back what IssueClientCertificate wrote.
void RemoveFiles(const ClientCertificate& certificate);

}  // namespace hallmark::cli
