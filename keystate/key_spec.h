// The key specs that Hallmark makes, as one table.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace hallmark {

enum class KeySpec { kHmac224, kHmac256, kHmac384, kHmac512 };
enum class MacAlgorithm { kHmacSha224, kHmacSha256, kHmacSha384, kHmacSha512 };

inline constexpr std::size_t kMaxMacBytes = 64;

struct KeySpecRow {
  KeySpec spec;
  std::string_view name;            // "HMAC_256"
  MacAlgorithm algorithm;           // exactly one per spec
  std::string_view algorithm_name;  // "HMAC_SHA_256"
  std::size_t key_bytes;
  std::size_t mac_bytes;
};

// Source: KMS developer guide, "HMAC keys in AWS KMS".
inline constexpr std::array<KeySpecRow, 4> kKeySpecs{{
    {KeySpec::kHmac224, "HMAC_224", MacAlgorithm::kHmacSha224, "HMAC_SHA_224", 28, 28},
    {KeySpec::kHmac256, "HMAC_256", MacAlgorithm::kHmacSha256, "HMAC_SHA_256", 32, 32},
    {KeySpec::kHmac384, "HMAC_384", MacAlgorithm::kHmacSha384, "HMAC_SHA_384", 48, 48},
    {KeySpec::kHmac512, "HMAC_512", MacAlgorithm::kHmacSha512, "HMAC_SHA_512", 64, 64},
}};

constexpr const KeySpecRow& Row(KeySpec spec) { return kKeySpecs[static_cast<std::size_t>(spec)]; }

constexpr std::string_view Name(KeySpec spec) { return Row(spec).name; }
constexpr std::string_view Name(MacAlgorithm algorithm) {
  return kKeySpecs[static_cast<std::size_t>(algorithm)].algorithm_name;
}

constexpr std::optional<KeySpec> KeySpecFromName(std::string_view name) {
  for (const KeySpecRow& row : kKeySpecs) {
    if (row.name == name) return row.spec;
  }
  return std::nullopt;
}

}  // namespace hallmark
