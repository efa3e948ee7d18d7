// What goes wrong, as it is shown.
#pragma once

#include "service/cli/client.h"
#include "service/cli/commands.h"

#include <string>
#include <string_view>

namespace hallmark::cli {

// Prints to standard error: a refusal in the words of the AWS CLI, anything else as one line.
ExitCode Report(const CallFailure& failure, std::string_view operation);

// "hallmark: error: …"
ExitCode Report(const std::string& failure);

}  // namespace hallmark::cli
