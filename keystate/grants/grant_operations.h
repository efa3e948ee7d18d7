// Which operations a grant on an HMAC key allows.
#pragma once

#include "keystate/operation.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace hallmark {

// The operations of one grant, in the order in which they were asked for; each at most once.
class GrantOperations {
 public:
  // All there are, in the order in which KMS names them.
  static constexpr std::array kAll{Operation::kCreateGrant, Operation::kRetireGrant,
                                   Operation::kDescribeKey, Operation::kGenerateMac,
                                   Operation::kVerifyMac};
  // One bit per operation, in the order of kAll.
  using Bits = std::uint8_t;

  // No bit: a grant cannot allow the operation.
  static constexpr Bits BitOf(Operation operation) {
    for (std::size_t i = 0; i < kAll.size(); ++i) {
      if (kAll[i] == operation) return static_cast<Bits>(1U << i);
    }
    return 0;
  }

  // False, and nothing is added, if a grant cannot allow the operation. Adding one again changes
  // nothing.
  constexpr bool Add(Operation operation) {
    const Bits bit = BitOf(operation);
    if (bit == 0) return false;
    if ((bits_ & bit) == 0) ordered_[size_++] = operation;
    bits_ = static_cast<Bits>(bits_ | bit);
    return true;
  }

  constexpr bool Contains(Operation operation) const { return (bits_ & BitOf(operation)) != 0; }
  constexpr Bits bits() const { return bits_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr std::size_t size() const { return size_; }
  constexpr const Operation* begin() const { return ordered_.data(); }
  constexpr const Operation* end() const { return ordered_.data() + size_; }

  // The same operations in the same order.
  bool operator==(const GrantOperations&) const = default;

 private:
  std::array<Operation, kAll.size()> ordered_{};
  std::uint8_t size_ = 0;
  Bits bits_ = 0;
};

}  // namespace hallmark
