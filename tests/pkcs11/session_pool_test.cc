// Lending sessions.
#include "pkcs11/session_pool.h"

#include "tests/pkcs11/opened_token.h"

#include <chrono>
#include <optional>
#include <thread>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;

class SessionPoolTest : public ::testing::Test {
 protected:
  SoftHsmToken token_;
  const TestSession keeps_the_login_{token_};
};

TEST_F(SessionPoolTest, LendsAReturnedSessionAgainButNeverASpoiledOne) {
  SessionPool pool(SoftHsmToken::functions(), token_.slot(), 2);
  { ASSERT_TRUE(pool.Acquire(In(kLong)).has_value()); }
  EXPECT_EQ(pool.open_sessions(), 1u);
  {
    CkResult<Lease> lease = pool.Acquire(In(kLong));
    ASSERT_TRUE(lease.has_value());
    EXPECT_EQ(pool.open_sessions(), 1u);
    lease->Spoil();
  }
  EXPECT_EQ(pool.open_sessions(), 0u);
}

TEST_F(SessionPoolTest, WaitsNoLongerThanTheDeadline) {
  SessionPool pool(SoftHsmToken::functions(), token_.slot(), 1);
  const CkResult<Lease> lease = pool.Acquire(In(kLong));
  ASSERT_TRUE(lease.has_value());
  const SteadyTime started = std::chrono::steady_clock::now();
  const CkResult<Lease> second = pool.Acquire(In(milliseconds(50)));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().rv, CKR_SESSION_COUNT);
  EXPECT_LT(std::chrono::steady_clock::now() - started, milliseconds(2'000));
}

TEST_F(SessionPoolTest, GivesAReturnedSessionToWhoWaits) {
  SessionPool pool(SoftHsmToken::functions(), token_.slot(), 1);
  std::optional<CkResult<Lease>> lease = pool.Acquire(In(kLong));
  ASSERT_TRUE(lease->has_value());
  std::jthread waiter([&pool] { EXPECT_TRUE(pool.Acquire(In(kLong)).has_value()); });
  ASSERT_TRUE(WaitUntil([&lease] { return (*lease)->unwelcome(); }));
  lease.reset();
}

TEST_F(SessionPoolTest, ClosesSessionsFromBeforeAReset) {
  SessionPool pool(SoftHsmToken::functions(), token_.slot(), 2);
  {
    const CkResult<Lease> lease = pool.Acquire(In(kLong));
    ASSERT_TRUE(lease.has_value());
    pool.Reset(token_.slot());
    EXPECT_TRUE(lease->unwelcome());
  }
  EXPECT_EQ(pool.open_sessions(), 0u);
}

TEST_F(SessionPoolTest, GivesThePlaceOfASpoiledSessionToWhoWaitsBecauseTheTokenIsFull) {
  SessionPool pool(*FaultList::Wrap(&SoftHsmToken::functions()), token_.slot(), 2);
  std::optional<CkResult<Lease>> lease = pool.Acquire(In(kLong));
  ASSERT_TRUE(lease->has_value());
  FaultList::Arm({.function = "C_OpenSession", .rv = CKR_SESSION_COUNT});
  const SteadyTime started = std::chrono::steady_clock::now();
  std::jthread waiter([&pool] { EXPECT_TRUE(pool.Acquire(In(kLong)).has_value()); });
  ASSERT_TRUE(WaitUntil([&lease] { return (*lease)->unwelcome(); }));
  (*lease)->Spoil();
  lease.reset();
  waiter.join();
  EXPECT_LT(std::chrono::steady_clock::now() - started, kLong / 2);
}

}  // namespace
}  // namespace hallmark::pkcs11
