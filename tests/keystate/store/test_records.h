// Records to store in tests, and what differs between two of them.
#pragma once

#include "keystate/key_store.h"
#include "keystate/random.h"
#include "keystate/records.h"
#include "tests/support/temporary_directory.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hallmark::store {

using hallmark::testing::TemporaryDirectory;

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

inline GrantRecord TestGrant(std::uint32_t n, const KeyId& key_id) {
  std::array<std::byte, 32> id{};
  for (std::size_t i = 0; i < 4; ++i) id[i] = static_cast<std::byte>(n >> (8 * i));
  GrantRecord grant{.id = GrantId::FromRandom(id),
                    .key_id = key_id,
                    .grantee_id = "AROA:session",
                    .grantee = "arn:aws:sts::111122223333:assumed-role/Service/session",
                    .issuing_account = TestAccount()};
  grant.operations.Add(Operation::kGenerateMac);
  return grant;
}

inline Result<Revision> CommitOne(KeyStore& store, StoreWrite write) {
  return store.Commit(std::vector<StoreWrite>{std::move(write)});
}

}  // namespace hallmark::store
