#include "keystate/client_tokens.h"

#include <gtest/gtest.h>

namespace hallmark {
namespace {

using Claim = ClientTokens::Claim;

TEST(ClientTokensTest, OneRequestIsFirstAndRetriesGetItsAnswer) {
  ClientTokens tokens;
  EXPECT_EQ(tokens.TryClaim("p", "t", "hash"), Claim::kFirst);
  EXPECT_EQ(tokens.TryClaim("p", "t", "hash"), Claim::kInProgress);
  const KeyId id = KeyId::FromRandom({});
  tokens.Complete({"p", "t", "hash", id});
  EXPECT_EQ(tokens.TryClaim("p", "t", "hash"), Claim::kAnswered);
  EXPECT_EQ(tokens.Find("p", "t"), id);
}

TEST(ClientTokensTest, AnotherRequestWithTheSameTokenIsAMismatch) {
  ClientTokens tokens;
  EXPECT_EQ(tokens.TryClaim("p", "t", "hash"), Claim::kFirst);
  EXPECT_EQ(tokens.TryClaim("p", "t", "other"), Claim::kMismatch);
}

TEST(ClientTokensTest, TokensOfDifferentPrincipalsAreDifferent) {
  ClientTokens tokens;
  EXPECT_EQ(tokens.TryClaim("p", "t", "hash"), Claim::kFirst);
  EXPECT_EQ(tokens.TryClaim("q", "t", "other"), Claim::kFirst);
}

TEST(ClientTokensTest, AnAbandonedTokenIsFreeAgain) {
  ClientTokens tokens;
  EXPECT_EQ(tokens.TryClaim("p", "t", "hash"), Claim::kFirst);
  tokens.Abandon("p", "t");
  EXPECT_FALSE(tokens.Find("p", "t"));
  EXPECT_EQ(tokens.TryClaim("p", "t", "other"), Claim::kFirst);
}

}  // namespace
}  // namespace hallmark
