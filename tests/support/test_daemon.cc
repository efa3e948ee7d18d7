#include "tests/support/test_daemon.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "keystate/store/sqlite_store.h"
#include "service/system/system.h"

#include <nlohmann/json.hpp>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

namespace hallmark::testing {
namespace {

constexpr std::chrono::seconds kStartTime{30};
constexpr std::chrono::milliseconds kPollInterval{5};

[[noreturn]] void Abort(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

}  // namespace

std::string FingerprintOf(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
  std::array<std::byte, 32> digest{};
  unsigned size = 0;
  if (certificate == nullptr ||
      X509_digest(certificate.get(), EVP_sha256(), reinterpret_cast<unsigned char*>(digest.data()),
                  &size) != 1) {
    Abort("not a certificate");
  }
  return ToHex(digest);
}

Outcome OutcomeOf(const grpc::Status& status) {
  Outcome outcome{status.error_code(), "", status.error_message(), std::nullopt};
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) Abort("malformed status details");
  for (const auto& detail : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&info)) {
      if (info.domain() == "hallmark") outcome.exception = info.reason();
    } else if (detail.UnpackTo(&retry)) {
      outcome.retry_after = std::chrono::milliseconds(retry.retry_delay().seconds() * 1000 +
                                                      retry.retry_delay().nanos() / 1'000'000);
    }
  }
  return outcome;
}

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << "code " << outcome.code << " " << outcome.exception << ": " << outcome.message;
}

TestDaemon::TestDaemon() : TestDaemon(Options{}) {}

TestDaemon::TestDaemon(Options options) : options_(std::move(options)) {
  for (const char* folder : {"tokens", "store", "tls", "trust_domains"}) {
    std::filesystem::create_directory(home() / folder);
  }
  WriteFile(home() / "softhsm2.conf", "directories.tokendir = " + (home() / "tokens").string() +
                                          "\nobjectstore.backend = file\nlog.level = ERROR\n");
  for (const char* pin : {"user.pin", "so.pin"}) {
    std::array<std::byte, 12> random{};
    service::OsRandom().Fill(random);
    WriteFile(home() / pin, ToHex(random));
  }
  const PemPair server = authority_.IssueServer();
  WriteFile(home() / "tls/ca.pem", authority_.certificate());
  WriteFile(home() / "tls/server.pem", server.certificate);
  WriteFile(home() / "tls/server.key", server.private_key);
  SetFaults("");
  if (options_.aws) receipt_ = *cli::SecretReceipt::Make();
  WriteConfiguration(options_);
  const Finished init = Run({HALLMARK_BINARY_DIR "/hallmark", "token", "init", "--home",
                             home().string(), "--format-with-so-pin", (home() / "so.pin").string()},
                            environment());
  if (init.exit_code != 0) Abort("hallmark token init: " + init.errors);
}

void TestDaemon::WriteConfiguration(const Options& options) const {
  WriteFile(config_file(), R"(endpoints_file = "endpoints.json"
)" + (options.default_token.empty() ? "" : "default_token = \"" + options.default_token + "\"\n") +
                               R"([log]
level = "debug"
file = "log"
[grpc]
listen = "127.0.0.1:0"
)" + options.grpc_settings + (options.aws ? "[aws]\nlisten = \"127.0.0.1:0\"" : "") +
                               R"(
[token.main]
module = ")" HALLMARK_BINARY_DIR R"(/hallmark-fault.so"
uri = "pkcs11:token=hallmark?pin-source=file:user.pin"
sync_path = "tokens"
)" + options.token_settings + R"(
[audit]
file = "audit.jsonl"
[tls]
trust_domains = "trust_domains"
)");
}

std::vector<std::string> TestDaemon::environment() const {
  return {"SOFTHSM2_CONF=" + (home() / "softhsm2.conf").string(),
          "HALLMARK_FAULT_MODULE=" HALLMARK_SOFTHSM_MODULE,
          "HALLMARK_FAULT_CONTROL=" + (home() / "faults").string()};
}

std::vector<std::string> TestDaemon::DaemonEnvironment() const {
  std::vector<std::string> settings = environment();
  if (!options_.kill_switch && !options_.full_disk) return settings;
  std::string preload = "LD_PRELOAD=";
  if (options_.kill_switch) {
    settings.push_back("HALLMARK_KILL_CONTROL=" + kill_control().string());
    preload += HALLMARK_BINARY_DIR "/hallmark-kill.so ";
  }
  if (options_.full_disk) {
    settings.push_back("HALLMARK_DISK_CONTROL=" + disk_control().string());
    preload += HALLMARK_BINARY_DIR "/hallmark-full-disk.so";
  }
  settings.push_back(preload);
  // Its runtime wants to come first and refuses to run otherwise. It need not: these libraries are
  // not instrumented, and pass every call on.
  const char* asan = std::getenv("ASAN_OPTIONS");
  settings.push_back("ASAN_OPTIONS=verify_asan_link_order=0:" +
                     std::string(asan == nullptr ? "" : asan));
  return settings;
}

std::vector<std::string> TestDaemon::CommandLine() const {
  std::vector<std::string> line = options_.wrapper;
  line.insert(line.end(), {HALLMARK_BINARY_DIR "/hallmarkd", "--config", config_file().string()});
  return line;
}

void TestDaemon::Start() {
  if (TryStart()) Abort("hallmarkd did not start: " + ReadFile(home() / "stderr") + Log());
}

std::optional<int> TestDaemon::TryStart() {
  const auto endpoints = home() / "endpoints.json";
  std::filesystem::remove(endpoints);
  process_ = std::make_unique<ChildProcess>(CommandLine(), DaemonEnvironment(), home() / "stdout",
                                            home() / "stderr");
  const auto deadline = std::chrono::steady_clock::now() + kStartTime;
  while (!std::filesystem::exists(endpoints)) {
    if (const std::optional<int> code = process_->WaitFor(kPollInterval)) return code;
    if (std::chrono::steady_clock::now() > deadline) Abort("hallmarkd did not serve: " + Log());
  }
  const auto served = nlohmann::json::parse(ReadFile(endpoints));
  target_ = served.at("grpc").get<std::string>();
  aws_url_ = served.value("aws", "");
  // A new port, perhaps: connect anew when asked.
  admin_.reset();
  return std::nullopt;
}

Finished TestDaemon::RunToEnd() { return Run(CommandLine(), DaemonEnvironment()); }

std::optional<int> TestDaemon::WaitForEnd(std::chrono::milliseconds at_most) {
  const std::optional<int> code = process_->WaitFor(at_most);
  if (code) process_.reset();
  return code;
}

int TestDaemon::Stop() {
  process_->Signal(SIGTERM);
  return WaitForEnd();
}

int TestDaemon::WaitForEnd() {
  const std::optional<int> code = process_->WaitFor(std::chrono::seconds(30));
  process_.reset();
  return code.value_or(-1);
}

void TestDaemon::Kill() {
  process_->Signal(SIGKILL);
  static_cast<void>(process_->WaitFor(std::chrono::seconds(10)));
  process_.reset();
}

void TestDaemon::SetFaults(const std::string& lines) const { WriteFile(home() / "faults", lines); }

Outcome TestDaemon::TryAddPrincipal(const std::string& arn, const std::string& policy,
                                    const std::string& certificate_pem, AccessKey* access_key) {
  const auto channel = grpc::CreateChannel("unix:" + (home() / "admin.sock").string(),
                                           grpc::InsecureChannelCredentials());
  v1::AddPrincipalRequest request;
  request.set_arn(arn);
  if (!policy.empty()) request.set_policy(policy);
  request.set_certificate_fingerprint(FingerprintOf(certificate_pem));
  if (access_key != nullptr) request.set_recipient_public_key(receipt_->public_key());
  v1::AddPrincipalResponse response;
  grpc::ClientContext context;
  Outcome added =
      OutcomeOf(v1::AdminService::NewStub(channel)->AddPrincipal(&context, request, &response));
  if (added.ok() && access_key != nullptr) {
    const auto secret = receipt_->Open(response.encrypted_secret_access_key());
    if (!secret) Abort(secret.error());
    *access_key = {response.access_key_id(), ToHex(AsBytes(*secret))};
  }
  return added;
}

Outcome TestDaemon::RemovePrincipal(const std::string& arn) {
  const auto channel = grpc::CreateChannel("unix:" + (home() / "admin.sock").string(),
                                           grpc::InsecureChannelCredentials());
  v1::RemovePrincipalRequest request;
  request.set_arn(arn);
  v1::RemovePrincipalResponse response;
  grpc::ClientContext context;
  return OutcomeOf(
      v1::AdminService::NewStub(channel)->RemovePrincipal(&context, request, &response));
}

Client TestDaemon::Connect(const PemPair& credentials) const {
  grpc::ChannelArguments arguments;
  // A connection of its own for every client.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto channel = grpc::CreateCustomChannel(
      target_,
      grpc::SslCredentials(
          {authority_.certificate(), credentials.private_key, credentials.certificate}),
      arguments);
  return {credentials, {}, channel, v1::KeyService::NewStub(channel)};
}

AwsClient TestDaemon::ConnectAws(const AccessKey& access_key) const {
  const std::string port = aws_url_.substr(aws_url_.rfind(':') + 1);
  return {static_cast<std::uint16_t>(std::stoul(port)), authority_.certificate(), access_key};
}

Client TestDaemon::AddPrincipal(const std::string& arn, const std::string& policy) {
  const PemPair credentials = authority_.IssueClient();
  AccessKey access_key;
  const Outcome added = TryAddPrincipal(arn, policy, credentials.certificate,
                                        receipt_.has_value() ? &access_key : nullptr);
  if (!added.ok()) Abort("cannot add " + arn + ": " + added.message);
  Client client = Connect(credentials);
  client.access_key = std::move(access_key);
  return client;
}

const Client& TestDaemon::admin() {
  if (!admin_) {
    static_cast<void>(RemovePrincipal(kAdmin));
    admin_ = AddPrincipal(kAdmin, kAllowAll);
  }
  return *admin_;
}

void TestDaemon::SetKeyState(const std::string& key_id, KeyState state) const {
  service::OsRandom random;
  auto store = store::SqliteStore::Open(home() / "store", {"aws", "us-west-2"}, random);
  if (!store) Abort(ToString(store.error()));
  const auto image = (*store)->Load();
  if (!image) Abort(ToString(image.error()));
  for (KeyRecord key : image->keys) {
    if (key.id.ToString() != key_id) continue;
    key.state = state;
    const StoreWrite write = Put(key);
    if (const auto done = (*store)->Commit({&write, 1}); !done) Abort(ToString(done.error()));
    return;
  }
  Abort("no such key: " + key_id);
}

}  // namespace hallmark::testing
