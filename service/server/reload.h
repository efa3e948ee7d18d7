// Taking over a changed configuration without a restart.
#pragma once

#include "keystate/result.h"
#include "service/app/mac_rates.h"
#include "service/audit/audit_file.h"
#include "service/authn/peer_identity.h"
#include "service/config/config.h"
#include "service/grpc/admin_front.h"
#include "service/grpc/grpc_front.h"
#include "service/grpc/rotating_credentials.h"
#include "service/log/log.h"
#include "service/metrics/metrics.h"
#include "service/net/connection_acceptor.h"
#include "service/net/tls_files.h"
#include "service/server/aws_front.h"

#include <vector>

namespace hallmark::service {

net::TlsFiles TlsFilesOf(const Config& config);
app::MacRates::Limits MacLimitsOf(const Config& config);

// Says in the log which trust domains nobody can come from.
void TellOfTrustDomains(const net::TlsMaterial& tls, Log& log);

struct FrontLimits {
  net::ConnectionLimits grpc;
  net::ConnectionLimits aws;
};

// The configured limits as far as this process may have so many descriptors; says so if it may not.
FrontLimits LimitsOf(const Config& config, Log& log);

// What live keys reach into.
struct LiveParts {
  Log& log;
  Metrics& metrics;
  grpc_front::RotatingCredentials& credentials;
  authn::PeerAuthenticator& authenticator;
  net::ConnectionAcceptor& key_door;
  grpc_front::GrpcFront& key_front;
  grpc_front::AdminFront& admin_front;
  AwsFront* aws_front;  // null: not served
  audit::AuditFile& audit_file;
  app::MacRates& mac_rates;
};

// Applies the live keys of `wanted` to the daemon and to `running`, reads the TLS files, opens the
// log file and the audit log anew, and names every other key that differs. All or nothing: mistakes
// in the file, TLS files that do not fit or a log that cannot be opened leave everything as it was.
// Either way the outcome is logged and counted.
void Reload(const Result<Config, std::vector<ConfigError>>& wanted, const LiveParts& parts,
            Config& running);

}  // namespace hallmark::service
