// Standard base64 (RFC 4648, section 4), in its one strict form.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hallmark {

std::string EncodeBase64(std::string_view bytes);

// Nothing unless `text` is exactly what EncodeBase64 makes: padded, without white space or stray
// bits.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace hallmark
