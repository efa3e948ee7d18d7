#include "keystate/base64.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace hallmark {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Has bits that no digit has, so that one test tells whether any of several is none.
constexpr std::uint32_t kNoDigit = 0x80;

constexpr std::array<std::uint8_t, 256> MakeDigits() {
  std::array<std::uint8_t, 256> digits{};
  for (std::uint8_t& digit : digits) digit = kNoDigit;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return digits;
}
constexpr std::array<std::uint8_t, 256> kDigits = MakeDigits();

std::uint32_t DigitOf(char c) { return kDigits[static_cast<unsigned char>(c)]; }
std::uint32_t ByteOf(char c) { return static_cast<unsigned char>(c); }

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  while (!bytes.empty()) {
    const std::uint32_t second = bytes.size() > 1 ? ByteOf(bytes[1]) : 0;
    const std::uint32_t third = bytes.size() > 2 ? ByteOf(bytes[2]) : 0;
    const std::uint32_t bits = ByteOf(bytes[0]) << 16U | second << 8U | third;
    text += kAlphabet[bits >> 18U];
    text += kAlphabet[bits >> 12U & 0x3FU];
    text += bytes.size() > 1 ? kAlphabet[bits >> 6U & 0x3FU] : '=';
    text += bytes.size() > 2 ? kAlphabet[bits & 0x3FU] : '=';
    bytes.remove_prefix(bytes.size() < 3 ? bytes.size() : 3);
  }
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const std::size_t padded = at + 4 == text.size() ? padding : 0;
    const std::uint32_t third = padded == 2 ? 0 : DigitOf(text[at + 2]);
    const std::uint32_t fourth = padded > 0 ? 0 : DigitOf(text[at + 3]);
    const std::uint32_t first = DigitOf(text[at]);
    const std::uint32_t second = DigitOf(text[at + 1]);
    if (((first | second | third | fourth) & kNoDigit) != 0) return std::nullopt;
    const std::uint32_t bits = first << 18U | second << 12U | third << 6U | fourth;
    // What stands behind the last byte must be zero, or two texts would mean the same bytes.
    if ((bits & ((1U << 8U * padded) - 1)) != 0) return std::nullopt;
    bytes += static_cast<char>(bits >> 16U);
    if (padded < 2) bytes += static_cast<char>(bits >> 8U & 0xFFU);
    if (padded < 1) bytes += static_cast<char>(bits & 0xFFU);
  }
  return bytes;
}

}  // namespace hallmark
