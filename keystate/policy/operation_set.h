// A set of operations as bits.
#pragma once

#include "keystate/operation.h"

#include <cstdint>
#include <initializer_list>

namespace hallmark {

inline constexpr unsigned kOperationCount = 0
#define HALLMARK_OPERATION(name) +1U
#include "keystate/operations.def"
#undef HALLMARK_OPERATION
    ;

class OperationSet {
 public:
  constexpr OperationSet() = default;
  constexpr OperationSet(std::initializer_list<Operation> operations) {
    for (const Operation operation : operations) Add(operation);
  }
  static constexpr OperationSet All() { return OperationSet().Complement(); }

  constexpr void Add(Operation operation) { bits_ |= Bit(operation); }
  constexpr bool Contains(Operation operation) const { return (bits_ & Bit(operation)) != 0; }
  constexpr OperationSet Complement() const {
    OperationSet other;
    other.bits_ = ~bits_ & ((std::uint64_t{1} << kOperationCount) - 1);
    return other;
  }
  constexpr bool operator==(const OperationSet&) const = default;

 private:
  static_assert(kOperationCount < 64, "one bit each");
  static constexpr std::uint64_t Bit(Operation operation) {
    return std::uint64_t{1} << static_cast<unsigned>(operation);
  }
  std::uint64_t bits_ = 0;
};

}  // namespace hallmark
