// Grants and principals for tests.
#pragma once

#include "keystate/grants/grant_set.h"
#include "keystate/principal_directory.h"
#include "keystate/records.h"

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

namespace hallmark::testing {

inline const Site kGrantSite{"aws", "us-west-2"};
inline const AccountId kOwner = *AccountId::Parse("111122223333");
inline const AccountId kForeign = *AccountId::Parse("444455556666");

inline GrantId TestGrantId(unsigned number) {
  std::array<std::byte, 32> bytes{};
  bytes[30] = static_cast<std::byte>(number >> 8U);
  bytes[31] = static_cast<std::byte>(number);
  return GrantId::FromRandom(bytes);
}

inline KeyId TestGrantKey(unsigned number = 0) {
  std::array<std::byte, 16> bytes{};
  bytes[0] = static_cast<std::byte>(number);
  return KeyId::FromRandom(bytes);
}

inline GrantOperations Operations(std::initializer_list<Operation> operations) {
  GrantOperations made;
  for (const Operation operation : operations) made.Add(operation);
  return made;
}

inline GrantRecord TestGrant(unsigned number, std::string grantee_id,
                             std::initializer_list<Operation> operations = {
                                 Operation::kGenerateMac}) {
  GrantRecord grant{.id = TestGrantId(number),
                    .key_id = TestGrantKey(),
                    .grantee_id = std::move(grantee_id),
                    .grantee = "arn",
                    .issuing_account = kOwner};
  grant.operations = Operations(operations);
  return grant;
}

inline GrantSet GrantsOf(std::initializer_list<GrantRecord> grants) {
  GrantSet set;
  for (const GrantRecord& grant : grants) set = set.With(grant);
  return set;
}

inline std::shared_ptr<const Principal> TestPrincipal(std::string unique_id, const std::string& arn,
                                                      std::string role_id = {}) {
  Principal principal{
      {.unique_id = std::move(unique_id), .arn = *PrincipalArn::Parse(arn, kGrantSite)},
      nullptr,
      {},
      {},
      {}};
  principal.record.role_id = std::move(role_id);
  return std::make_shared<const Principal>(std::move(principal));
}

}  // namespace hallmark::testing
