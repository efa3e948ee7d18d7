// Byte strings, and how they appear in text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

inline ByteView AsBytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

// Lower-case hexadecimal.
std::string ToHex(ByteView bytes);
// Nothing unless `hex` is pairs of hexadecimal digits, in either case.
std::optional<Bytes> FromHex(std::string_view hex);

// Compares in a time that depends on the sizes alone, not on where the first difference is.
bool EqualInConstantTime(ByteView a, ByteView b);

}  // namespace hallmark
