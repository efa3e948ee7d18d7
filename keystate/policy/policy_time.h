// Times as policies write them.
#pragma once

#include "keystate/clock.h"

#include <array>
#include <optional>
#include <string_view>

namespace hallmark {

// A date of ISO 8601 as W3C's profile has it ("2026-11-22", "2026-11-22T12:00Z",
// "2026-11-22T12:00:00.5+01:00"; a time needs its zone), or whole seconds since 1970.
std::optional<WallTime> ParsePolicyTime(std::string_view text);

using PolicyTimeBuffer = std::array<char, 32>;
// "2026-11-22T12:00:00Z"; fractions of a second are cut off.
std::string_view FormatPolicyTime(WallTime time, PolicyTimeBuffer& buffer);

}  // namespace hallmark
