// Calls of the service, whatever the method.
#pragma once

#include "keystate/result.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/channel.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

namespace hallmark::cli {

// Where the service is and who we are.
struct Connection {
  std::string target;  // host:port
  std::filesystem::path ca;
  std::filesystem::path certificate;
  std::filesystem::path private_key;
};

// Why a call brought no answer.
struct CallFailure {
  // The exception the service named; empty when it was not the service that refused.
  std::string exception;
  std::string message;
  std::string request_id;
};

// A channel over TLS. Does not connect yet; fails for what is wrong with the files.
Result<std::shared_ptr<grpc::Channel>, CallFailure> OpenTlsChannel(const Connection& connection);

// A channel to the Unix socket of a daemon.
std::shared_ptr<grpc::Channel> OpenSocketChannel(const std::filesystem::path& socket);

// Calls and waits for the answer, at most `timeout`. `where` names the peer in messages.
Result<void, CallFailure> Call(const std::shared_ptr<grpc::Channel>& channel,
                               const std::string& where,
                               const google::protobuf::MethodDescriptor& method,
                               const google::protobuf::Message& request,
                               google::protobuf::Message* response, std::chrono::seconds timeout);

}  // namespace hallmark::cli
