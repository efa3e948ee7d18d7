#include "keystate/policy/policy_cache.h"

#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark {
namespace {

using testing::IsOk;
using testing::Raises;

constexpr const char* kDocument =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})";

PolicyRecord Record(std::string hash, std::string document) {
  return {.hash = std::move(hash), .document = std::move(document)};
}

TEST(PolicyCacheTest, IdenticalPoliciesExistOnce) {
  PolicyCache cache;
  const auto first = cache.Get(Record("a", kDocument), PolicyKind::kIdentity);
  const auto again = cache.Get(Record("a", kDocument), PolicyKind::kIdentity);
  const auto other = cache.Get(Record("b", kDocument), PolicyKind::kIdentity);
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(other, IsOk());
  EXPECT_EQ(*first, *again);
  EXPECT_NE(*first, *other);
  EXPECT_EQ(cache.CountInUse(), 2U);
}

TEST(PolicyCacheTest, WhatWasLoadedCanBePutAgainWithoutAComparison) {
  PolicyCache cache;
  PolicyRecord loaded = Record("a", kDocument);
  loaded.revision = 7;
  const auto policy = cache.Get(loaded, PolicyKind::kIdentity);
  ASSERT_THAT(policy, IsOk());
  EXPECT_EQ((*policy)->record.revision, 0U);
}

TEST(PolicyCacheTest, WhatNobodyUsesIsDropped) {
  PolicyCache cache;
  const std::weak_ptr<const StoredPolicy> unused =
      *cache.Get(Record("a", kDocument), PolicyKind::kIdentity);
  EXPECT_TRUE(unused.expired());
  EXPECT_EQ(cache.CountInUse(), 0U);
  std::vector<StoredPolicyPtr> used;
  for (int i = 0; i < 1000; ++i) {
    const auto policy = cache.Get(Record(std::to_string(i), kDocument), PolicyKind::kIdentity);
    if (i % 10 == 0) used.push_back(*policy);
  }
  EXPECT_EQ(cache.CountInUse(), used.size());
  EXPECT_EQ(*cache.Get(Record("990", kDocument), PolicyKind::kIdentity), used.back());
}

TEST(PolicyCacheTest, WhatDoesNotCompileIsNotKept) {
  PolicyCache cache;
  EXPECT_THAT(cache.Get(Record("a", "{}"), PolicyKind::kIdentity),
              Raises(Exception::kMalformedPolicyDocumentException));
  EXPECT_THAT(cache.Get(Record("a", kDocument), PolicyKind::kIdentity), IsOk());
}

TEST(PolicyCacheTest, ThreadsGetTheSamePolicy) {
  PolicyCache cache;
  std::vector<StoredPolicyPtr> got(4);
  {
    std::vector<std::jthread> threads;
    for (auto& one : got) {
      threads.emplace_back([&cache, &one] {
        for (int i = 0; i < 100; ++i)
          one = *cache.Get(Record("a", kDocument), PolicyKind::kIdentity);
      });
    }
  }
  // What is in use is never compiled again, so those who hold one at the same time hold the same.
  for (const auto& one : got) EXPECT_EQ(one, got.front());
  EXPECT_EQ(cache.CountInUse(), 1U);
}

}  // namespace
}  // namespace hallmark
