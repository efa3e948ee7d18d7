#include "keystate/secret.h"

#include <sys/mman.h>

#include <cstring>
#include <new>
#include <utility>

namespace hallmark {

SecretBytes::SecretBytes(ByteView bytes) : size_(bytes.size()) {
  if (size_ == 0) return;
  // Pages of its own: wiping a heap block would leave what a reallocation copied, and only whole
  // pages can be kept out of core dumps and swap.
  void* pages = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(pages);
  // Both are refused under tight limits; the secret is then no worse off than ordinary memory.
  static_cast<void>(::mlock(data_, size_));
  static_cast<void>(::madvise(data_, size_, MADV_DONTDUMP));
  std::memcpy(data_, bytes.data(), size_);
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    Wipe();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() { Wipe(); }

void SecretBytes::Wipe() noexcept {
  if (data_ == nullptr) return;
  ::explicit_bzero(data_, size_);
  static_cast<void>(::munmap(data_, size_));
  data_ = nullptr;
  size_ = 0;
}

}  // namespace hallmark
