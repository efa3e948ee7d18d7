#include "service/cli/client.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "keystate/bytes.h"
#include "service/cli/files.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/credentials.h>

#include <future>
#include <optional>
#include <string_view>
#include <utility>

namespace hallmark::cli {
namespace {

using google::protobuf::Message;

constexpr std::string_view kEnvironmentRemedy =
    "run deploy/quickstart, then source the env file it names";

CallFailure Failure(std::string message) { return {{}, std::move(message), {}}; }

Result<std::string, CallFailure> ReadPem(const std::string& what, const std::string& flag,
                                         const std::string& variable,
                                         const std::filesystem::path& path) {
  if (path.empty()) {
    return Unexpected(Failure("no " + what + ": give " + flag + " or set " + variable + " (" +
                              std::string(kEnvironmentRemedy) + ")"));
  }
  auto pem = ReadWholeFile(path);
  if (!pem) return Unexpected(Failure(what + ": " + pem.error()));
  return *std::move(pem);
}

std::optional<google::rpc::ErrorInfo> FindErrorInfo(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return std::nullopt;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.Is<google::rpc::ErrorInfo>() && detail.UnpackTo(&info)) return info;
  }
  return std::nullopt;
}

// Names the likely cause: gRPC reports everything before the first answer as UNAVAILABLE.
std::string Explain(const grpc::Status& status, const std::string& where,
                    std::chrono::seconds timeout) {
  const std::string& reason = status.error_message();
  const auto mentions = [&reason](std::string_view text) {
    return reason.find(text) != std::string::npos;
  };
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return "no answer from " + where + " within " + std::to_string(timeout.count()) +
           " s: look at the daemon's log, or give it longer with --timeout";
  }
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) {
    return where + " answered what a hallmarkd does not (gRPC code " +
           std::to_string(status.error_code()) + "): " + reason +
           ": check that the address is its gRPC listener";
  }
  if (mentions("andshake") || mentions("SSL") || mentions("certificate")) {
    return "no TLS with " + where + ": " + reason +
           ": check that HALLMARK_CA signed the server's certificate and that HALLMARK_CERT and "
           "HALLMARK_KEY are a pair that has not expired";
  }
  if (mentions("Connection refused") || mentions("No such file")) {
    return "nothing listens on " + where +
           ": is hallmarkd running? Start it with deploy/quickstart";
  }
  return "cannot reach " + where + ": " + reason +
         ": check HALLMARK_TARGET, that hallmarkd is running and that it knows this certificate";
}

// A path inside a URI: gRPC takes everything else for a name to look up.
std::string PercentEncode(std::string_view path) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~";
  std::string encoded;
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += '%' + ToHex(AsBytes({&c, 1}));
    }
  }
  return encoded;
}

}  // namespace

Result<std::shared_ptr<grpc::Channel>, CallFailure> OpenTlsChannel(const Connection& connection) {
  if (connection.target.empty()) {
    return Unexpected(Failure("no service to call: give --target or set HALLMARK_TARGET (" +
                              std::string(kEnvironmentRemedy) + ")"));
  }
  grpc::SslCredentialsOptions tls;
  HALLMARK_ASSIGN_OR_RETURN(tls.pem_root_certs,
                            ReadPem("certificate authority", "--ca", "HALLMARK_CA", connection.ca));
  HALLMARK_ASSIGN_OR_RETURN(tls.pem_cert_chain, ReadPem("client certificate", "--cert",
                                                        "HALLMARK_CERT", connection.certificate));
  HALLMARK_ASSIGN_OR_RETURN(tls.pem_private_key, ReadPem("client private key", "--key",
                                                         "HALLMARK_KEY", connection.private_key));
  return grpc::CreateChannel(connection.target, grpc::SslCredentials(tls));
}

std::shared_ptr<grpc::Channel> OpenSocketChannel(const std::filesystem::path& socket) {
  return grpc::CreateChannel("unix:" + PercentEncode(socket.string()),
                             grpc::InsecureChannelCredentials());
}

Result<void, CallFailure> Call(const std::shared_ptr<grpc::Channel>& channel,
                               const std::string& where,
                               const google::protobuf::MethodDescriptor& method,
                               const Message& request, Message* response,
                               std::chrono::seconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  // Shared, since the callback may still be leaving set_value when we have the status.
  const auto finished = std::make_shared<std::promise<grpc::Status>>();
  grpc::TemplatedGenericStub<Message, Message> stub(channel);
  stub.UnaryCall(&context, "/" + method.service()->full_name() + "/" + method.name(), {}, &request,
                 response,
                 [finished](grpc::Status status) { finished->set_value(std::move(status)); });
  const grpc::Status status = finished->get_future().get();
  if (status.ok()) return {};
  if (const auto info = FindErrorInfo(status)) {
    const auto request_id = info->metadata().find("request_id");
    return Unexpected(
        CallFailure{info->reason(), status.error_message(),
                    request_id == info->metadata().end() ? std::string() : request_id->second});
  }
  return Unexpected(Failure(Explain(status, where, timeout)));
}

}  // namespace hallmark::cli
