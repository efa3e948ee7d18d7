#include "service/server/reload.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::service {
namespace {

// Everything of a reload that can fail, done.
struct Prepared {
  net::TlsMaterial tls;
  std::shared_ptr<const authn::TrustDomains> domains;
  std::shared_ptr<const http_front::ServerTls> aws_tls;
  Log::Sink log_sink;
};

Result<Prepared, std::vector<ConfigError>> Prepare(const Config& wanted) {
  std::vector<ConfigError> mistakes;
  auto tls = net::ReadTlsFiles(TlsFilesOf(wanted));
  if (!tls.has_value()) mistakes.push_back({"tls: " + tls.error()});
  auto domains = tls.has_value() ? authn::TrustDomains::Of(tls->trust_domains)
                                 : Result<authn::TrustDomains, std::string>(authn::TrustDomains());
  if (!domains.has_value()) mistakes.push_back({"tls.trust_domains: " + domains.error()});
  Result<std::shared_ptr<const http_front::ServerTls>, std::string> aws_tls(nullptr);
  if (tls.has_value() && !wanted.aws.listen.empty()) {
    aws_tls = http_front::HttpServer::Prepare(*tls);
  }
  if (!aws_tls.has_value()) mistakes.push_back({"tls: " + aws_tls.error()});
  auto log_sink = Log::OpenSink(wanted.log);
  if (!log_sink.has_value()) mistakes.push_back({"log.file: " + log_sink.error().message});
  if (!mistakes.empty()) return Unexpected(std::move(mistakes));
  return Prepared{*std::move(tls), std::make_shared<const authn::TrustDomains>(*std::move(domains)),
                  *std::move(aws_tls), *std::move(log_sink)};
}

void Refuse(const std::vector<ConfigError>& mistakes, const LiveParts& parts) {
  for (const ConfigError& mistake : mistakes) {
    parts.log.Write(LogLevel::kError, "reload", {{"text", mistake.message}});
  }
  parts.log.Write(LogLevel::kError, "reload",
                  {{"outcome", "refused"},
                   {"text", "nothing was changed; correct the mistakes and reload again"},
                   {"mistakes", static_cast<std::int64_t>(mistakes.size())}});
  parts.metrics.Reloaded(/*applied=*/false);
}

void Apply(Prepared prepared, const Config& running, const LiveParts& parts) {
  const FrontLimits limits = LimitsOf(running, parts.log);
  parts.mac_rates.Set(MacLimitsOf(running));
  parts.key_door.SetLimits(limits.grpc);
  parts.key_front.set_max_call_duration(running.grpc.max_call_duration);
  parts.admin_front.set_max_call_duration(running.grpc.max_call_duration);
  parts.authenticator.SetTrustDomains(std::move(prepared.domains));
  parts.credentials.Replace(std::move(prepared.tls));
  if (parts.aws_front == nullptr) return;
  parts.aws_front->SetLimits(limits.aws);
  parts.aws_front->set_max_call_duration(running.grpc.max_call_duration);
  // Null: it will not be served after the next start, and until then goes on as it is.
  if (prepared.aws_tls != nullptr) parts.aws_front->Replace(std::move(prepared.aws_tls));
}

}  // namespace

net::TlsFiles TlsFilesOf(const Config& config) {
  return {config.tls.certificate, config.tls.private_key, config.tls.client_ca,
          config.tls.trust_domains};
}

app::MacRates::Limits MacLimitsOf(const Config& config) {
  return {config.limits.principal_macs_per_second, config.limits.key_macs_per_second};
}

void TellOfTrustDomains(const net::TlsMaterial& tls, Log& log) {
  for (const std::string& name : tls.trust_domains_over) {
    log.Write(LogLevel::kWarning, "trust_domain",
              {{"name", name},
               {"text",
                "no CA of it is valid now, so its workloads are refused; put the current "
                "ones into tls.trust_domains and reload"}});
  }
}

FrontLimits LimitsOf(const Config& config, Log& log) {
  const std::size_t of_aws = config.aws.listen.empty() ? 0 : config.aws.max_connections;
  const std::size_t wanted = config.grpc.max_connections + of_aws;
  const std::size_t allowed = net::FitToDescriptorLimit(wanted);
  // Both fronts give up the same part.
  const auto share = [&](std::size_t of_front) {
    return allowed == wanted ? of_front : std::max<std::size_t>(of_front * allowed / wanted, 1);
  };
  if (allowed < wanted) {
    log.Write(
        LogLevel::kWarning, "connections",
        {{"text", of_aws == 0
                      ? "the limit of open files allows fewer than grpc.max_connections; raise it"
                      : "the limit of open files allows fewer than grpc.max_connections and "
                        "aws.max_connections; raise it"},
         {"max_connections", static_cast<std::int64_t>(allowed)}});
  }
  return {{share(config.grpc.max_connections), config.grpc.max_connections_per_address, "grpc"},
          {share(of_aws), config.aws.max_connections_per_address, "aws"}};
}

void Reload(const Result<Config, std::vector<ConfigError>>& wanted, const LiveParts& parts,
            Config& running) {
  if (!wanted.has_value()) return Refuse(wanted.error(), parts);
  auto prepared = Prepare(*wanted);
  if (!prepared.has_value()) return Refuse(prepared.error(), parts);
  if (auto reopened = parts.audit_file.Reopen(); !reopened.has_value()) {
    return Refuse({{.message = std::move(reopened).error()}}, parts);
  }

  // From here on nothing can fail.
  const std::vector<ConfigChange> changes = ChangedKeys(running, *wanted);
  TakeOverLive(*wanted, running);
  parts.log.WriteTo(std::move(prepared->log_sink));
  // Shown if the level that was, or the one to come, shows it.
  if (!parts.log.Enabled(LogLevel::kInfo)) parts.log.SetLevel(running.log.level);
  std::string applied;
  for (const ConfigChange& change : changes) {
    if (change.effect == Effect::kLive) {
      applied += (applied.empty() ? "" : ", ") + change.key;
    } else {
      parts.log.Write(LogLevel::kWarning, "reload",
                      {{"text", change.key + ": changed; takes effect at the next start"}});
    }
  }
  TellOfTrustDomains(prepared->tls, parts.log);
  const std::string serial = prepared->tls.serial;
  const std::string expires = prepared->tls.expires;
  Apply(*std::move(prepared), running, parts);
  parts.metrics.Reloaded(/*applied=*/true);
  parts.log.Write(LogLevel::kInfo, "reload",
                  {{"outcome", "applied"},
                   {"changed", applied},
                   {"certificate_serial", serial},
                   {"certificate_expires", expires}});
  parts.log.SetLevel(running.log.level);
}

}  // namespace hallmark::service
