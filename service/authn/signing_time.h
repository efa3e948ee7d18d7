// Times as signed requests write them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark::authn {

using SigningTime = std::chrono::sys_seconds;

// ISO 8601's basic format, as X-Amz-Date has it: "20261122T120000Z", nothing else.
std::optional<SigningTime> ParseBasicTime(std::string_view text);

// HTTP's own format, as Date has it: "Sun, 22 Nov 2026 12:00:00 GMT". The zone may also be a zero
// offset, which Python's e-mail library writes.
std::optional<SigningTime> ParseHttpDate(std::string_view text);

std::string FormatBasicTime(SigningTime time);          // "20261122T120000Z"
std::string FormatBasicDay(std::chrono::sys_days day);  // "20261122"

}  // namespace hallmark::authn
