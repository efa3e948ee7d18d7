// The real hallmarkd in its own process, on a real SoftHSM token, over real TLS.
#pragma once

#include "hallmark/v1/admin.grpc.pb.h"
#include "hallmark/v1/kms.grpc.pb.h"
#include "keystate/records.h"
#include "service/cli/secret_receipt.h"
#include "tests/support/aws_client.h"
#include "tests/support/child_process.h"
#include "tests/support/test_certificates.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::testing {

// How a call ended, as a client sees it.
struct Outcome {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string exception;  // from ErrorInfo; empty for a success or without details
  std::string message;
  std::optional<std::chrono::milliseconds> retry_after;

  bool ok() const { return code == grpc::StatusCode::OK; }
};

Outcome OutcomeOf(const grpc::Status& status);
// For failed expectations: "PERMISSION_DENIED AccessDeniedException: …".
std::ostream& operator<<(std::ostream& out, const Outcome& outcome);

// SHA-256 of a certificate, as principals are registered with.
std::string FingerprintOf(const std::string& pem);

// A channel of one principal.
struct Client {
  PemPair credentials;
  AccessKey access_key;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::KeyService::Stub> keys;

  // Calls a method of KeyService; the deadline is generous unless given.
  template <class Request, class Response>
  Outcome Call(grpc::Status (v1::KeyService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
               const Request& request, Response* response,
               std::chrono::milliseconds within = std::chrono::seconds(30)) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + within);
    return OutcomeOf((keys.get()->*method)(&context, request, response));
  }
};

class TestDaemon {
 public:
  struct Options {
    std::string grpc_settings{};   // lines of [grpc]
    std::string token_settings{};  // lines of [token.main], and sections of other tokens
    std::string default_token{};   // needed with several tokens
    // Prepended to the daemon's command line: {"/usr/bin/prlimit", "--nofile=64"}.
    std::vector<std::string> wrapper{};
    // Preloads the kill switch (kill_switch.h); its control file is kill_control().
    bool kill_switch = false;
    // Preloads the full disk (full_disk.h); its control file is disk_control().
    bool full_disk = false;
    // Serves the AWS front as well.
    bool aws = false;
  };

  static constexpr const char* kAccount = "111122223333";
  static constexpr const char* kAdmin = "arn:aws:iam::111122223333:user/Admin";
  static constexpr const char* kAllowAll =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]})";

  // Makes home, token and configuration; the daemon does not run yet.
  TestDaemon();
  explicit TestDaemon(Options options);

  // Starts it and waits until it serves; aborts the test binary if it does not.
  void Start();
  // Starts it and waits until it serves; its exit code if it ends before.
  std::optional<int> TryStart();
  // Its exit code, or 128 + signal, once it has ended by itself; nothing if it still runs then.
  std::optional<int> WaitForEnd(std::chrono::milliseconds at_most);
  // Starts it and waits until it ends.
  Finished RunToEnd();
  // SIGTERM; its exit code.
  int Stop();
  // Its exit code, once it has ended by itself or by a signal of the test's own.
  int WaitForEnd();
  // SIGKILL.
  void Kill();
  bool running() const { return process_ != nullptr; }
  pid_t pid() const { return process_->pid(); }

  // Faults inside the token, as in the control file of the fault module; "" for none.
  void SetFaults(const std::string& lines) const;

  // Registers the principal with a new certificate.
  Client AddPrincipal(const std::string& arn, const std::string& policy);
  // `access_key`, unless null, is set to what was made for it.
  Outcome TryAddPrincipal(const std::string& arn, const std::string& policy,
                          const std::string& certificate_pem, AccessKey* access_key = nullptr);
  Outcome RemovePrincipal(const std::string& arn);
  Client Connect(const PemPair& credentials) const;
  // Of the AWS front.
  AwsClient ConnectAws(const AccessKey& access_key) const;
  // kAdmin, allowed everything; registered at the first call.
  const Client& admin();

  // Changes a key behind the daemon's back; it must be stopped.
  void SetKeyState(const std::string& key_id, KeyState state) const;

  const std::filesystem::path& home() const { return home_.path(); }
  std::filesystem::path config_file() const { return home() / "hallmarkd.toml"; }
  std::filesystem::path audit_file() const { return home() / "audit.jsonl"; }
  std::filesystem::path kill_control() const { return home() / "kill"; }
  std::filesystem::path disk_control() const { return home() / "disk"; }
  const std::string& target() const { return target_; }
  // "https://127.0.0.1:PORT"; empty without the AWS front.
  const std::string& aws_url() const { return aws_url_; }
  const TestAuthority& authority() const { return authority_; }
  std::string Log() const { return ReadFile(home() / "log"); }
  std::vector<std::string> environment() const;

 private:
  void WriteConfiguration(const Options& options) const;
  std::vector<std::string> CommandLine() const;
  std::vector<std::string> DaemonEnvironment() const;

  TemporaryDirectory home_;
  TestAuthority authority_;
  Options options_;
  std::unique_ptr<ChildProcess> process_;
  std::string target_;
  std::string aws_url_;
  // To which secret access keys are shown.
  std::optional<cli::SecretReceipt> receipt_;
  std::optional<Client> admin_;
};

}  // namespace hallmark::testing
