#include "service/server/server.h"

#include "keystate/bytes.h"
#include "keystate/client_tokens.h"
#include "keystate/key_directory.h"
#include "keystate/last_usage.h"
#include "keystate/principal_directory.h"
#include "keystate/store/sqlite_store.h"
#include "service/app/admin_ops.h"
#include "service/app/engine.h"
#include "service/app/key_quota.h"
#include "service/app/mac_rates.h"
#include "service/app/principal_loading.h"
#include "service/app/token_ops.h"
#include "service/app/worker_pool.h"
#include "service/audit/audit_log.h"
#include "service/authn/peer_identity.h"
#include "service/grpc/admin_front.h"
#include "service/grpc/grpc_front.h"
#include "service/grpc/grpc_log.h"
#include "service/grpc/grpc_server.h"
#include "service/grpc/rotating_credentials.h"
#include "service/log/log.h"
#include "service/log/request_log.h"
#include "service/metrics/metrics.h"
#include "service/net/listener.h"
#include "service/net/tls_files.h"
#include "service/server/aws_front.h"
#include "service/server/connection_reporter.h"
#include "service/server/endpoints_file.h"
#include "service/server/health_watch.h"
#include "service/server/maintenance.h"
#include "service/server/reconciliation.h"
#include "service/server/reload.h"
#include "service/server/tokens.h"
#include "service/system/system.h"

#include <grpcpp/security/server_credentials.h>
#include <sysexits.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace hallmark::service {
namespace {

constexpr std::size_t kControlThreads = 4;
constexpr std::size_t kTokenControlThreads = 4;
constexpr std::size_t kMaxQueuedControlWork = 1024;
constexpr std::size_t kAdminThreads = 2;
constexpr std::size_t kMaxQueuedAdminWork = 64;
// The command line and probes.
constexpr std::size_t kMaxAdminConnections = 32;
// The doors of the gRPC server, by number.
constexpr std::size_t kKeyDoor = 0;
constexpr std::size_t kAdminDoor = 1;

std::string NewInstanceId(RandomSource& random) {
  std::array<std::byte, 16> id{};
  random.Fill(id);
  return ToHex(id);
}

}  // namespace

// Start goes down the members; Stop ends whatever has threads, in the order that it names.
class Server::Impl {
 public:
  Impl(const Config& config, std::function<void()> ask_for_end)
      : config_(config), ask_for_end_(std::move(ask_for_end)) {}
  ~Impl() { Stop(); }

  Result<void, StartError> Start();
  void Reload(const Result<Config, std::vector<ConfigError>>& wanted);

 private:
  Result<void, StartError> OpenLog();
  Result<void, StartError> OpenStore();
  Result<void, StartError> OpenSockets();
  Result<void, StartError> OpenTokens();
  Result<void, StartError> LoadImage();
  Result<void, StartError> OpenFronts();
  Result<void, StartError> OpenAwsFront(const net::ConnectionLimits& limits);
  Result<void, StartError> PublishEndpoints();
  void SetServing(bool serving);
  void LogAdministration(const grpc_front::AdminFront::Finished& call);
  void Stop();

  Config config_;  // its live keys change by Reload, on main's thread as everything that reads them
  const std::function<void()> ask_for_end_;
  SystemClock clock_;
  OsRandom random_;
  const std::string instance_id_ = NewInstanceId(random_);
  std::shared_ptr<Log> log_;  // shared with gRPC's log hook, whose threads outlive servers
  std::optional<RequestLog> request_log_;
  // The lock of the store is held from here on: we are alone.
  std::unique_ptr<KeyStore> store_;
  StoreImage image_;                                          // emptied once it is loaded
  SignatureHistory signature_history_;                        // until the AWS front has it
  std::shared_ptr<const authn::TrustDomains> trust_domains_;  // until the authenticator has them
  std::shared_ptr<grpc_front::RotatingCredentials> credentials_;
  std::shared_ptr<const http_front::ServerTls> aws_tls_;  // until the front has it
  std::optional<net::Listener> key_listener_;
  std::optional<net::Listener> aws_listener_;
  std::optional<net::Listener> admin_listener_;
  std::unique_ptr<Tokens> tokens_;
  std::unique_ptr<audit::AuditFile> audit_file_;
  std::optional<audit::AuditLog> audit_log_;
  std::optional<Metrics> metrics_;  // after the tokens, which scrapes look at
  std::string metrics_address_;
  std::optional<ConnectionReporter> grpc_reporter_;
  std::optional<ConnectionReporter> aws_reporter_;
  KeyDirectory keys_;
  PrincipalDirectory principals_;
  PolicyCache policies_;
  ClientTokens client_tokens_;
  LastUsage last_usage_;
  std::optional<app::KeyQuota> key_quota_;
  app::MacRates mac_rates_;
  std::optional<app::WorkerPool> control_;
  std::optional<app::WorkerPool> token_control_;
  std::optional<app::WorkerPool> admin_pool_;
  std::optional<app::Engine> engine_;
  std::optional<app::PrincipalAdmin> principal_admin_;
  std::optional<app::TokenAdmin> token_admin_;
  std::optional<Maintenance> maintenance_;
  std::optional<authn::PeerAuthenticator> authenticator_;
  std::optional<grpc_front::GrpcFront> key_front_;
  std::optional<grpc_front::AdminFront> admin_front_;
  std::unique_ptr<grpc_front::GrpcServer> grpc_server_;
  std::unique_ptr<AwsFront> aws_front_;  // null: not served
  EndpointsFile endpoints_;
  std::optional<HealthWatch> health_watch_;
};

Result<void, StartError> Server::Impl::Start() {
  HALLMARK_RETURN_IF_ERROR(OpenLog());
  HALLMARK_RETURN_IF_ERROR(OpenStore());
  // Before the token: a PIN is not tried for a daemon that could not serve anyway.
  HALLMARK_RETURN_IF_ERROR(OpenSockets());
  HALLMARK_RETURN_IF_ERROR(OpenTokens());
  HALLMARK_RETURN_IF_ERROR(LoadImage());
  HALLMARK_RETURN_IF_ERROR(OpenFronts());
  health_watch_.emplace(tokens_->set(), *audit_file_, *log_,
                        [this](bool serving) { SetServing(serving); });
  // Last: who waits for the file finds a daemon that serves.
  return PublishEndpoints();
}

Result<void, StartError> Server::Impl::OpenLog() {
  auto log = Log::Open(config_.log);
  if (!log.has_value()) {
    return CannotStart(EX_CONFIG, "log: " + log.error().message + "; check log.file");
  }
  log_ = *std::move(log);
  request_log_.emplace(*log_, clock_);
  grpc_front::SetGrpcLogSink([log = log_](const std::string& text) {
    log->Write(LogLevel::kWarning, "grpc", {{"text", text}});
  });
  return {};
}

Result<void, StartError> Server::Impl::OpenStore() {
  auto store = store::SqliteStore::Open(config_.store_directory, config_.site, random_);
  if (!store.has_value()) return StoreFailed(store.error());
  store_ = *std::move(store);
  auto image = store_->Load();
  if (!image.has_value()) return StoreFailed(image.error());
  image_ = *std::move(image);
  signature_history_ = {image_.signature_marks, clock_.Now()};
  return {};
}

Result<void, StartError> Server::Impl::OpenSockets() {
  auto tls = net::ReadTlsFiles(TlsFilesOf(config_));
  if (!tls.has_value()) return CannotStart(EX_CONFIG, std::move(tls).error());
  TellOfTrustDomains(*tls, *log_);
  auto domains = authn::TrustDomains::Of(tls->trust_domains);
  if (!domains.has_value()) {
    return CannotStart(EX_CONFIG, "tls.trust_domains: " + domains.error());
  }
  trust_domains_ = std::make_shared<const authn::TrustDomains>(*std::move(domains));
  if (!config_.aws.listen.empty()) {
    auto aws_tls = http_front::HttpServer::Prepare(*tls);
    if (!aws_tls.has_value()) return CannotStart(EX_CONFIG, "tls: " + aws_tls.error());
    aws_tls_ = *std::move(aws_tls);
    auto aws_listener = net::Listener::OpenTcp(config_.aws.listen);
    if (!aws_listener.has_value()) {
      return CannotStart(EX_OSERR, "aws.listen: " + aws_listener.error());
    }
    aws_listener_.emplace(*std::move(aws_listener));
  }
  credentials_ = std::make_shared<grpc_front::RotatingCredentials>(*std::move(tls));
  auto key_listener = net::Listener::OpenTcp(config_.grpc.listen);
  if (!key_listener.has_value()) {
    return CannotStart(EX_OSERR, "grpc.listen: " + key_listener.error());
  }
  key_listener_.emplace(*std::move(key_listener));
  auto admin_listener = net::Listener::OpenUnix(config_.admin_socket);
  if (!admin_listener.has_value()) {
    return CannotStart(EX_OSERR, "admin.socket: " + admin_listener.error());
  }
  admin_listener_.emplace(*std::move(admin_listener));
  return {};
}

Result<void, StartError> Server::Impl::OpenTokens() {
  auto tokens = Tokens::Open({config_, image_, *store_, instance_id_, clock_, log_, ask_for_end_});
  if (!tokens.has_value()) return Unexpected(std::move(tokens).error());
  tokens_ = *std::move(tokens);
  return {};
}

Result<void, StartError> Server::Impl::LoadImage() {
  ReconciliationReport sum;
  for (Hsm* const hsm : tokens_->present()) {
    const auto reconciled =
        Reconcile(image_, instance_id_, *hsm, *store_, clock_, [this](const std::string& text) {
          log_->Write(LogLevel::kWarning, "reconciliation", {{"text", text}});
        });
    if (!reconciled.has_value()) return StoreFailed(reconciled.error());
    sum += *reconciled;
  }
  log_->Write(LogLevel::kInfo, "reconciled",
              {{"rolled_back", static_cast<std::int64_t>(sum.rolled_back)},
               {"left_open", static_cast<std::int64_t>(sum.left_open)},
               {"orphans", static_cast<std::int64_t>(sum.orphans)},
               {"missing", static_cast<std::int64_t>(sum.missing)}});
  if (const Status removed = RemoveUnusedPolicies(image_, *store_); !removed) {
    log_->Write(LogLevel::kWarning, "reconciliation",
                {{"text", "unused policies stay in the store: " + ToString(removed.error())}});
  }
  if (const Status keys = LoadKeys(image_, policies_, keys_); !keys)
    return StoreFailed(keys.error());
  const Status loaded = app::LoadPrincipals(image_, principals_);
  if (!loaded.has_value()) return StoreFailed(loaded.error());
  LoadClientTokens(image_, keys_, client_tokens_);
  last_usage_.Load(image_.last_usages);
  return {};
}

Result<void, StartError> Server::Impl::OpenFronts() {
  metrics_.emplace(clock_);
  metrics_->WatchTokens(tokens_->set());
  if (!config_.metrics_listen.empty()) {
    auto address = metrics_->Listen(config_.metrics_listen);
    if (!address.has_value()) {
      return CannotStart(EX_OSERR, "metrics.listen " + config_.metrics_listen + ": " +
                                       address.error().message + "; choose another address");
    }
    metrics_address_ = *std::move(address);
  }
  grpc_reporter_.emplace(app::Protocol::kGrpc, *log_, *metrics_);
  aws_reporter_.emplace(app::Protocol::kAws, *log_, *metrics_);
  auto audit_file =
      audit::AuditFile::Open(config_.audit_file, std::make_shared<audit::FileCalls>());
  if (!audit_file.has_value()) return CannotStart(EX_IOERR, std::move(audit_file).error());
  audit_file_ = *std::move(audit_file);
  audit_log_.emplace(audit::AuditOrigin{config_.site, tokens_->set().default_token().id()},
                     *audit_file_, clock_, random_);
  control_.emplace(kControlThreads, kMaxQueuedControlWork);
  token_control_.emplace(kTokenControlThreads, kMaxQueuedControlWork);
  admin_pool_.emplace(kAdminThreads, kMaxQueuedAdminWork);
  mac_rates_.Set(MacLimitsOf(config_));
  key_quota_.emplace(
      keys_, app::KeyLimits{config_.limits.keys_per_account, config_.limits.keys_per_token});
  maintenance_.emplace(app::DeletionSweeper::Parts{keys_, client_tokens_, last_usage_, *store_,
                                                   tokens_->set(), clock_, &*audit_log_},
                       image_, *log_, *metrics_);
  engine_.emplace(app::Engine{config_.site,
                              std::exchange(image_, {}).meta.store_id,
                              instance_id_,
                              keys_,
                              principals_,
                              policies_,
                              client_tokens_,
                              last_usage_,
                              *key_quota_,
                              *store_,
                              tokens_->set(),
                              tokens_->sealer(),
                              clock_,
                              random_,
                              *control_,
                              *token_control_,
                              &*audit_log_,
                              [this](const app::CallContext& call, const Status& status) {
                                metrics_->Finished(call, status);
                                request_log_->Finished(call, status);
                              },
                              [this] { return maintenance_->time_seen(); },
                              &mac_rates_});
  principal_admin_.emplace(
      app::PrincipalAdmin{config_.site, principals_, *store_, clock_, random_, tokens_->sealer()});
  authenticator_.emplace(principals_, clock_);
  authenticator_->SetTrustDomains(std::exchange(trust_domains_, nullptr));
  key_front_.emplace(*engine_, *authenticator_, config_.grpc.max_call_duration);
  token_admin_.emplace(app::TokenAdmin{tokens_->set(), keys_, *store_, clock_});
  admin_front_.emplace(*principal_admin_, maintenance_->admin(), *token_admin_, *engine_,
                       *admin_pool_, config_.grpc.max_call_duration,
                       [this](const auto& call) { LogAdministration(call); });

  const FrontLimits limits = LimitsOf(config_, *log_);
  std::vector<grpc_front::Door> doors;
  doors.push_back({*std::exchange(key_listener_, std::nullopt), credentials_, limits.grpc});
  doors.push_back({*std::exchange(admin_listener_, std::nullopt),
                   grpc::InsecureServerCredentials(),
                   {kMaxAdminConnections, kMaxAdminConnections}});
  auto grpc_server = grpc_front::GrpcServer::Start(
      std::move(doors), {&*key_front_, &*admin_front_},
      {.handshake_timeout = config_.grpc.handshake_timeout}, *grpc_reporter_);
  if (!grpc_server.has_value()) return CannotStart(EX_OSERR, std::move(grpc_server).error());
  grpc_server_ = *std::move(grpc_server);
  return OpenAwsFront(limits.aws);
}

Result<void, StartError> Server::Impl::OpenAwsFront(const net::ConnectionLimits& limits) {
  if (!aws_listener_.has_value()) return {};
  auto front =
      AwsFront::Start(config_, *std::exchange(aws_listener_, std::nullopt), limits,
                      std::exchange(aws_tls_, nullptr), std::exchange(signature_history_, {}),
                      *engine_, {*log_, *request_log_, *metrics_, *aws_reporter_});
  if (!front.has_value()) return CannotStart(EX_OSERR, std::move(front).error());
  aws_front_ = *std::move(front);
  return {};
}

void Server::Impl::Reload(const Result<Config, std::vector<ConfigError>>& wanted) {
  try {
    service::Reload(wanted,
                    {*log_, *metrics_, *credentials_, *authenticator_, grpc_server_->door(kKeyDoor),
                     *key_front_, *admin_front_, aws_front_.get(), *audit_file_, mac_rates_},
                    config_);
  } catch (const std::exception& thrown) {  // no memory: we go on serving
    metrics_->Reloaded(/*applied=*/false);
    log_->Write(LogLevel::kError, "reload",
                {{"outcome", "failed"},
                 {"text", "some of it may be in effect; reload again"},
                 {"detail", thrown.what()}});
  }
}

void Server::Impl::LogAdministration(const grpc_front::AdminFront::Finished& call) {
  std::string_view outcome = "OK";
  std::string_view detail;
  if (!call.status.has_value()) {
    outcome = Describe(call.status.error().exception).name;
    detail = call.status.error().detail;
  }
  log_->Write(LogLevel::kInfo, "admin",
              {{"request_id", call.request_id},
               {"method", call.method},
               {"principal", call.principal},
               {"peer", call.peer},
               {"outcome", outcome},
               {"detail", detail}});
}

Result<void, StartError> Server::Impl::PublishEndpoints() {
  const std::string aws = aws_front_ == nullptr ? "" : aws_front_->address();
  log_->Write(LogLevel::kInfo, "serving",
              {{"grpc", grpc_server_->door(kKeyDoor).address()},
               {"aws", aws},
               {"metrics", metrics_address_}});
  if (config_.endpoints_file.empty()) return {};
  auto written =
      endpoints_.Write(config_.endpoints_file, {.grpc = grpc_server_->door(kKeyDoor).address(),
                                                .aws = aws,
                                                .metrics = metrics_address_,
                                                .admin = grpc_server_->door(kAdminDoor).address()});
  if (!written.has_value()) return CannotStart(EX_OSERR, std::move(written).error());
  return {};
}

void Server::Impl::SetServing(bool serving) {
  grpc_server_->SetServing(key_front_->full_name(), serving);
}

void Server::Impl::Stop() {
  // 1. Probes and balancers learn first; the watch must not contradict.
  health_watch_.reset();
  if (grpc_server_ != nullptr) SetServing(false);
  endpoints_.Remove();
  // 2. No new connections, then calls may end.
  const auto deadline = std::chrono::system_clock::now() + config_.grpc.drain_timeout;
  {
    // Both at once: neither takes new calls while the other still ends its own.
    std::jthread aws;
    if (aws_front_ != nullptr) {
      const auto stop_aws = [&] { aws_front_->Stop(deadline); };
      try {
        aws = std::jthread(stop_aws);
      } catch (const std::system_error&) {  // no more threads: one after the other
        stop_aws();
      }
    }
    if (grpc_server_ != nullptr) grpc_server_->Stop(deadline);
  }
  grpc_front::SetGrpcLogSink({});
  // 3. What works on its own: first what uses the tokens, then the tokens. Their threads may
  // be at work for calls that were given up, and look at directories and engine until they end.
  // Scrapes look at the tokens.
  maintenance_.reset();
  control_.reset();
  token_control_.reset();
  admin_pool_.reset();
  if (metrics_.has_value()) metrics_->StopListening();
  if (tokens_ != nullptr) tokens_->Close();
  // 4. No thread is left; the members go from the last to the first, down to the store and its
  // lock.
  if (grpc_server_ != nullptr) log_->Write(LogLevel::kInfo, "stopped", {});
}

Result<std::unique_ptr<Server>, StartError> Server::Start(const Config& config,
                                                          std::function<void()> ask_for_end) {
  auto impl = std::make_unique<Impl>(config, std::move(ask_for_end));
  HALLMARK_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::Reload(const Result<Config, std::vector<ConfigError>>& wanted) {
  impl_->Reload(wanted);
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

}  // namespace hallmark::service
