#include "keystate/grants/grant_token.h"

#include "tests/keystate/grants/test_grants.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {
namespace {

using testing::TestGrantId;
using testing::TestGrantKey;

// Knows what it has sealed; a text that it has not is altered or foreign.
class RememberingSealer final : public Sealer {
 public:
  std::string Seal(std::string_view context, std::string_view payload) const override {
    std::string text = "sealed" + ToHex(AsBytes(payload));
    sealed_[text] = {std::string(context), std::string(payload)};
    return text;
  }
  std::optional<std::string> Open(std::string_view context,
                                  std::string_view sealed) const override {
    const auto found = sealed_.find(std::string(sealed));
    if (found == sealed_.end() || found->second.first != context) return std::nullopt;
    return found->second.second;
  }
  SecretBytes DeriveSecret(std::string_view) const override { return SecretBytes(Bytes{}); }

 private:
  mutable std::map<std::string, std::pair<std::string, std::string>> sealed_;
};

class CountingRandom final : public RandomSource {
 public:
  void Fill(std::span<std::byte> out) override {
    for (std::byte& b : out) b = static_cast<std::byte>(++next_);
  }

 private:
  unsigned next_ = 0;
};

class GrantTokenTest : public ::testing::Test {
 protected:
  std::string Seal(const GrantToken& token, std::string_view store = "store") {
    return SealGrantToken(sealer_, store, token, random_);
  }
  static void ExpectInvalid(const Result<GrantToken>& token, const std::string& what) {
    ASSERT_FALSE(token.has_value()) << what;
    EXPECT_EQ(token.error().exception, Exception::kInvalidGrantTokenException) << what;
  }

  RememberingSealer sealer_;
  CountingRandom random_;
  const GrantToken token_{TestGrantKey(1), TestGrantId(2), 77};
};

TEST_F(GrantTokenTest, SaysWhatWasSealed) {
  for (const Revision revision :
       {Revision{0}, Revision{77}, std::numeric_limits<Revision>::max()}) {
    const Result<GrantToken> token =
        OpenGrantToken(sealer_, "store", Seal({TestGrantKey(1), TestGrantId(2), revision}));
    ASSERT_TRUE(token.has_value()) << ToString(token.error());
    EXPECT_EQ(token->key_id, TestGrantKey(1));
    EXPECT_EQ(token->grant_id, TestGrantId(2));
    EXPECT_EQ(token->visible_at, revision);
  }
}

TEST_F(GrantTokenTest, EveryTokenOfAGrantIsAnotherTextWithTheSameMeaning) {
  const std::string first = Seal(token_);
  const std::string second = Seal(token_);
  EXPECT_NE(first, second);
  EXPECT_EQ(OpenGrantToken(sealer_, "store", first)->grant_id,
            OpenGrantToken(sealer_, "store", second)->grant_id);
}

TEST_F(GrantTokenTest, WhatIsNoTokenOfThisHistoryIsInvalid) {
  const std::string good = Seal(token_);
  std::string altered = good;
  altered.back() = altered.back() == '0' ? '1' : '0';
  ExpectInvalid(OpenGrantToken(sealer_, "store", ""), "empty");
  ExpectInvalid(OpenGrantToken(sealer_, "store", "token"), "malformed");
  ExpectInvalid(OpenGrantToken(sealer_, "store", altered), "altered");
  ExpectInvalid(OpenGrantToken(sealer_, "store", good + "A"), "longer");
  ExpectInvalid(OpenGrantToken(sealer_, "store", std::string_view(good).substr(1)), "shorter");
  ExpectInvalid(OpenGrantToken(sealer_, "store", Seal(token_, "restored")), "another history");
  ExpectInvalid(OpenGrantToken(sealer_, "store", sealer_.Seal("marker store", "1")),
                "sealed for something else");
}

TEST_F(GrantTokenTest, APayloadThatWeDoNotWriteIsInvalid) {
  const std::string key = TestGrantKey(1).ToString();
  const std::string grant = TestGrantId(2).ToString();
  for (const std::string& payload : {
           std::string(),
           std::string("1"),
           "2 " + key + " " + grant + " 7 00",
           "1 key " + grant + " 7 00",
           "1 " + key + " grant 7 00",
           "1 " + key + " " + grant,
           "1 " + key + " " + grant + " x 00",
           "1 " + key + " " + grant + " 7x 00",
           "1 " + key + " " + grant + " 18446744073709551616 00",
       }) {
    ExpectInvalid(OpenGrantToken(sealer_, "store", sealer_.Seal("grant token store", payload)),
                  payload);
  }
}

TEST_F(GrantTokenTest, ATextThatIsTooLongIsNotOpened) {
  const std::string padded = "1 " + TestGrantKey(1).ToString() + " " + TestGrantId(2).ToString() +
                             " 7 " + std::string(5000, '0');
  const std::string text = sealer_.Seal("grant token store", padded);
  ASSERT_GT(text.size(), 8192U);
  ExpectInvalid(OpenGrantToken(sealer_, "store", text), "too long");
}

TEST_F(GrantTokenTest, ACallWaitsForTheLatestGrantOfItsKey) {
  const std::string early = Seal({TestGrantKey(1), TestGrantId(1), 10});
  const std::string late = Seal({TestGrantKey(1), TestGrantId(2), 20});
  const std::string other_key = Seal({TestGrantKey(2), TestGrantId(3), 30});
  const auto await = [&](const std::vector<std::string_view>& tokens) {
    return RevisionToAwait(sealer_, "store", tokens, TestGrantKey(1));
  };
  EXPECT_EQ(*await({}), 0U);
  EXPECT_EQ(*await({early, late}), 20U);
  EXPECT_EQ(*await({late, early}), 20U);
  EXPECT_EQ(*await({early, other_key}), 10U);
  EXPECT_EQ(*await({other_key}), 0U);
  const Result<Revision> refused = await({early, "token"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().exception, Exception::kInvalidGrantTokenException);
}

}  // namespace
}  // namespace hallmark
