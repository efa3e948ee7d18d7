// Numbers and ARNs as the values of conditions write them.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace hallmark {

// A decimal number, with or without fraction and exponent.
std::optional<double> ParseNumber(std::string_view text);

// The colon-delimited parts of an ARN; the last one keeps its colons.
inline constexpr std::size_t kArnParts = 6;

// Splits the pattern of an ARN at colons outside of variables.
std::vector<std::string_view> SplitArn(std::string_view text);

// Takes the next part of an ARN off the front of `rest`; the last part is the rest.
std::optional<std::string_view> TakeArnPart(std::string_view& rest, bool last);

}  // namespace hallmark
