// Small files that are there, whole, after a crash.
#pragma once

#include "keystate/result.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace hallmark::pkcs11 {

// Replaces the file by one with this text, readable by its owner alone: at any moment there is the
// old one or the new one, and on return the new one survives power loss.
//
// Errors: the file and the reason.
Result<void, std::string> WriteDurably(const std::filesystem::path& file, std::string_view text);

}  // namespace hallmark::pkcs11
