// Bytes that wipe themselves.
#pragma once

#include "keystate/bytes.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace hallmark {

// A PIN, a secret access key or key material: move-only, not printable, not comparable, wiped
// before its memory is returned and kept out of core dumps where the kernel lets us.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(ByteView bytes);
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Every exposure is one grep for this name: for the token's PIN and for signature checks only.
  ByteView RevealForHsm() const { return {data_, size_}; }

 private:
  void Wipe() noexcept;
  std::byte* data_ =
      nullptr;  // owned; mapped apart from the heap, so that it can be excluded from dumps
  std::size_t size_ = 0;
};

}  // namespace hallmark
