// Records to store in tests, and what differs between two of them.
#pragma once

#include "keystate/key_store.h"
#include "keystate/random.h"
#include "keystate/records.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace hallmark::store {

inline const Site kTestSite{"aws", "us-west-2"};

// Counts upwards: unpredictability is not what is tested.
class CountingRandom : public RandomSource {
 public:
  void Fill(std::span<std::byte> out) override {
    for (std::byte& b : out) b = static_cast<std::byte>(++next_);
  }

 private:
  std::uint8_t next_ = 0;
};

// Gone with everything in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hallmark-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

template <std::size_t N>
std::array<std::byte, N> Filled(unsigned value) {
  std::array<std::byte, N> bytes{};
  bytes.fill(static_cast<std::byte>(value));
  return bytes;
}

inline KeyId TestKeyId(std::uint32_t n) {
  std::array<std::byte, 16> bytes{};
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::byte>(n >> (8 * i));
  return KeyId::FromRandom(bytes);
}

inline AccountId TestAccount() { return *AccountId::Parse("111122223333"); }

inline KeyRecord TestKey(std::uint32_t n, std::string description = {}) {
  return {.id = TestKeyId(n),
          .account = TestAccount(),
          .spec = KeySpec::kHmac256,
          .description = std::move(description)};
}

inline PrincipalRecord TestPrincipal(const std::string& unique_id, const std::string& user) {
  return {.unique_id = unique_id,
          .arn = *PrincipalArn::Parse("arn:aws:iam::111122223333:user/" + user, kTestSite)};
}

inline Result<Revision> CommitOne(KeyStore& store, StoreWrite write) {
  return store.Commit(std::vector<StoreWrite>{std::move(write)});
}

}  // namespace hallmark::store
