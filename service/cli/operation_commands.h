// A verb for every operation of a service, made from its descriptor alone.
#pragma once

#include "keystate/result.h"
#include "service/cli/commands.h"
#include "service/cli/request_builder.h"

#include <CLI/CLI.hpp>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <functional>

namespace hallmark::cli {

// Called with the request that the command line describes, checksums added, and an empty answer of
// the right type.
using RunOperation = std::function<ExitCode(const google::protobuf::MethodDescriptor& method,
                                            const google::protobuf::Message& request,
                                            google::protobuf::Message* answer)>;

// Gives the verb a flag for every field of the request, and returns what builds the request of the
// flags that were given.
using BuildRequest = std::function<Result<void, UsageError>(google::protobuf::Message* request)>;
BuildRequest AddRequestFlags(CLI::App& verb, const google::protobuf::Descriptor& request,
                             Commands& commands);

// The verb is the operation's name and each flag a field's, both in kebab case.
void AddOperationCommands(CLI::App& root, const google::protobuf::ServiceDescriptor& service,
                          const RunOperation& run, Commands& commands);

}  // namespace hallmark::cli
