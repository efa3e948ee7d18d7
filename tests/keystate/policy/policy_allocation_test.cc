// A decision by policy allocates nothing: every allocation of this program is counted.
#include "tests/keystate/policy/bench_policies.h"
#include "tests/keystate/policy/policy_world.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <string>

namespace {

std::atomic<int> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace hallmark {
namespace {

TEST(AllocationTest, AllowingAndDenyingByPolicyAllocateNothing) {
  const auto key = testing::Compile(
      R"({"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
         {"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*",
          "Condition":{"Bool":{"aws:SecureTransport":"false"}}})",
      PolicyKind::kKey);
  const auto identity = testing::Compile(
      R"({"Effect":"Deny","Action":"kms:VerifyMac","Resource":"*"},
         {"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:${aws:PrincipalAccount}:key/*",
          "Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"},
                       "ForAllValues:StringLike":{"kms:GrantOperations":"*Mac"},
                       "ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/${aws:PrincipalTag/none, 'staff'}/*"},
                       "StringNotLike":{"aws:PrincipalArn":"*arn:aws:iam::111122223333:user/nobody*"},
                       "NumericLessThan":{"aws:EpochTime":"99999999999"}}})",
      PolicyKind::kIdentity);
  const auto twenty = Policy::Parse(testing::IdentityPolicyOf(20), PolicyKind::kIdentity);
  ASSERT_TRUE(twenty.has_value());
  const std::vector<testing::TestTag> tags{{"team", "red"}};
  RequestContext context;
  context.resource_tags = TagList(tags);
  context.mac_algorithm = MacAlgorithm::kHmacSha256;
  context.request_alias = "alias/app";
  context.source_ip = "192.0.2.9";
  context.current_time = WallTime(std::chrono::seconds(1'795'348'800));
  context.secure_transport = true;
  for (const Policy* policy : {identity.get(), &*twenty}) {
    const Caller caller{testing::kAlice.arn,
                        testing::kHome,
                        testing::kAlice.unique_id,
                        {},
                        {},
                        policy,
                        nullptr,
                        nullptr,
                        TagList(testing::kAlice.tags)};
    for (const Operation operation : {Operation::kGenerateMac, Operation::kVerifyMac}) {
      const AccessRequest request{caller,           operation, testing::kHome,
                                  testing::kKeyArn, context,   key.get()};
      const int before = allocations;
      const Decision decision = Authorize(request);
      const int after = allocations;
      EXPECT_EQ(after, before) << Name(operation);
      EXPECT_EQ(decision.allowed, operation == Operation::kGenerateMac);
    }
  }
}

}  // namespace
}  // namespace hallmark
