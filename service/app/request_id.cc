#include "service/app/request_id.h"

#include "keystate/ids.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>

namespace hallmark::app {
namespace {

std::mt19937_64 SeededBySystem() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device(),
                     device(), device(), device(), device()};
  return std::mt19937_64(seed);
}

}  // namespace

std::string NewRequestId() {
  thread_local std::mt19937_64 generator = SeededBySystem();
  const std::array<std::uint64_t, 2> words{generator(), generator()};
  std::array<std::byte, 16> bytes;
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return KeyId::FromRandom(bytes).ToString();
}

}  // namespace hallmark::app
