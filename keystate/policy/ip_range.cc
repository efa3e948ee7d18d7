#include "keystate/policy/ip_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace hallmark {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  // inet_pton wants a terminated string.
  std::array<char, 64> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), terminated.begin());
  IpAddress address;
  if (text.find(':') == std::string_view::npos) {
    std::copy(kV4Prefix.begin(), kV4Prefix.end(), address.bytes_.begin());
    if (inet_pton(AF_INET, terminated.data(), address.bytes_.data() + kV4Prefix.size()) != 1) {
      return std::nullopt;
    }
    return address;
  }
  if (inet_pton(AF_INET6, terminated.data(), address.bytes_.data()) != 1) return std::nullopt;
  return address;
}

bool IpAddress::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes_.begin());
}

std::optional<IpRange> IpRange::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<IpAddress> base = IpAddress::Parse(text.substr(0, slash));
  if (!base) return std::nullopt;
  if (slash == std::string_view::npos) return IpRange(*base, 128);
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  // How it is written decides: ::ffff:10.0.0.0/104 counts all 128 bits.
  const bool dotted_only = text.substr(0, slash).find(':') == std::string_view::npos;
  const unsigned most = dotted_only ? 32 : 128;
  if (error != std::errc() || end != digits.data() + digits.size() || bits > most) {
    return std::nullopt;
  }
  return IpRange(*base, dotted_only ? 96 + bits : bits);
}

bool IpRange::Contains(const IpAddress& address) const {
  // ::/0 is every IPv6 address, not every IPv4 address.
  if (address.is_v4() != base_.is_v4()) return false;
  const std::size_t whole = prefix_bits_ / 8;
  if (!std::equal(base_.bytes().begin(), base_.bytes().begin() + static_cast<std::ptrdiff_t>(whole),
                  address.bytes().begin())) {
    return false;
  }
  const unsigned rest = prefix_bits_ % 8;
  if (rest == 0) return true;
  const unsigned different = base_.bytes()[whole] ^ static_cast<unsigned>(address.bytes()[whole]);
  return different >> (8 - rest) == 0;
}

}  // namespace hallmark
