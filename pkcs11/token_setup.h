// Initialising an empty token, so that no PIN has to pass through a tool's command line.
#pragma once

#include "keystate/result.h"
#include "pkcs11/options.h"

#include <filesystem>

namespace hallmark::pkcs11 {

enum class FormatOutcome { kFormatted, kWasReady };

// Makes sure that the token named by `options.uri` exists and has a user PIN: initialises the
// module's first uninitialised token under that name if there is none, and sets the user PIN (from
// the URI's pin-source) if it is missing. A token that is ready is not touched, so that a repeat
// after a crash goes on where it stopped.
Result<FormatOutcome, OpenError> FormatToken(const TokenOptions& options,
                                             const std::filesystem::path& so_pin_file);

}  // namespace hallmark::pkcs11
