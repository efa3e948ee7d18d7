// IP addresses and CIDR ranges of policies.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hallmark {

// An IPv4 or IPv6 address. An IPv4 address inside IPv6 (::ffff:192.0.2.1) is the IPv4 address: a
// listener on both families shows its IPv4 peers that way.
class IpAddress {
 public:
  static std::optional<IpAddress> Parse(std::string_view text);

  // IPv4 addresses stand in the range ::ffff:0:0/96.
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  bool is_v4() const;

 private:
  IpAddress() = default;
  std::array<std::uint8_t, 16> bytes_{};
};

// An address or "<address>/<prefix bits>". Bits behind the prefix may be set; they do not count.
class IpRange {
 public:
  static std::optional<IpRange> Parse(std::string_view text);
  bool Contains(const IpAddress& address) const;

 private:
  IpRange(const IpAddress& base, unsigned prefix_bits) : base_(base), prefix_bits_(prefix_bits) {}
  IpAddress base_;
  unsigned prefix_bits_;  // of the 128; IPv4 ranges count the 96 bits before
};

}  // namespace hallmark
