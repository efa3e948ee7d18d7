// Makes a MAC and verifies it: how a C++ program calls Hallmark.
//   mac [KEY [MESSAGE]]
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "hallmark/v1/kms.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>

namespace v1 = hallmark::v1;

namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string FileNamedBy(const char* variable) {
  std::ostringstream text;
  text << std::ifstream(Variable(variable)).rdbuf();
  return text.str();
}

// What to dispatch on: the exception's name, which never changes its meaning. Messages are for
// people.
std::string ExceptionOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == "hallmark") return info.reason();
  }
  // gRPC's own: nobody answered (UNAVAILABLE is 14), or not in time (DEADLINE_EXCEEDED is 4).
  return "gRPC status " + std::to_string(status.error_code());
}

void ExitIfRefused(const grpc::Status& status) {
  if (status.ok()) return;
  std::cerr << ExceptionOf(status) << ": " << status.error_message() << "\n";
  std::exit(1);
}

// Serves one call. Without a deadline a call may wait for ever; with one, the server knows how long
// an answer is still of use.
struct Call : grpc::ClientContext {
  Call() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5)); }
};

}  // namespace

int main(int argc, char** argv) {
  // Who we are is our certificate: Hallmark knows it, and what its principal may do.
  grpc::SslCredentialsOptions tls{FileNamedBy("HALLMARK_CA"), FileNamedBy("HALLMARK_KEY"),
                                  FileNamedBy("HALLMARK_CERT")};
  // One channel for the whole program: it reconnects by itself, and any thread may use it.
  const auto channel = grpc::CreateChannel(Variable("HALLMARK_TARGET"), grpc::SslCredentials(tls));
  const auto keys = v1::KeyService::NewStub(channel);

  v1::GenerateMacRequest generate;
  generate.set_key_id(argc > 1 ? argv[1] : "alias/demo");
  generate.set_message(argc > 2 ? argv[2] : "Hello World");
  generate.set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
  v1::GenerateMacResponse generated;
  Call generating;
  ExitIfRefused(keys->GenerateMac(&generating, generate, &generated));
  std::cout << "MAC: " << std::hex << std::setfill('0');
  for (const char byte : generated.mac()) {
    std::cout << std::setw(2) << int{static_cast<unsigned char>(byte)};
  }
  std::cout << "\n";

  v1::VerifyMacRequest verify;
  verify.set_key_id(generated.key_id());  // the ARN: an alias may point elsewhere by now
  verify.set_message(generate.message());
  verify.set_mac_algorithm(generate.mac_algorithm());
  verify.set_mac(generated.mac());
  v1::VerifyMacResponse verified;
  Call verifying;
  ExitIfRefused(keys->VerifyMac(&verifying, verify, &verified));
  std::cout << "verified by " << verified.key_id() << "\n";

  // A wrong MAC is a refusal, never a false: nobody can forget to look.
  verify.set_message(verify.message() + "!");
  Call refused;
  const auto status = keys->VerifyMac(&refused, verify, &verified);
  std::cout << "for another message: " << ExceptionOf(status) << "\n";
  return status.ok() ? 1 : 0;
}
