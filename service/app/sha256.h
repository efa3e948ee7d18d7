// SHA-256, for names made from content.
#pragma once

#include <string>
#include <string_view>

namespace hallmark::app {

// Lower-case hexadecimal.
std::string Sha256Hex(std::string_view text);

}  // namespace hallmark::app
