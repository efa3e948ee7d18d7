#include "keystate/spiffe_id.h"

#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark {
namespace {

using testing::Raises;

TEST(SpiffeIdTest, SaysItsTrustDomain) {
  for (const char* text : {"spiffe://example.org/a", "spiffe://example.org/ns/Prod/sa/api-1_x.y"}) {
    const auto id = SpiffeId::Parse(text);
    ASSERT_TRUE(id.has_value()) << text;
    EXPECT_EQ(id->text(), text);
    EXPECT_EQ(id->trust_domain(), "example.org");
  }
}

TEST(SpiffeIdTest, RefusesWhatTheStandardForbids) {
  const std::string longest = "spiffe://example.org/" + std::string(2048 - 21, 'a');
  EXPECT_TRUE(SpiffeId::Parse(longest).has_value());
  for (const std::string& text :
       {std::string(), std::string("https://example.org/a"), std::string("SPIFFE://example.org/a"),
        std::string("spiffe:///a"), std::string("spiffe://Example.org/a"),
        std::string("spiffe://user@example.org/a"), std::string("spiffe://example.org:1/a"),
        std::string("spiffe://example.org"), std::string("spiffe://example.org/"),
        std::string("spiffe://example.org/a/"), std::string("spiffe://example.org//a"),
        std::string("spiffe://example.org/a/../b"), std::string("spiffe://example.org/./a"),
        std::string("spiffe://example.org/a?b"), std::string("spiffe://example.org/a#b"),
        std::string("spiffe://example.org/a%20b"), std::string("spiffe://example.org/\xc3\xa4"),
        std::string("spiffe://example.org/a\0b", 24), longest + "a"}) {
    EXPECT_THAT(SpiffeId::Parse(text), Raises(Exception::kValidationException)) << text;
  }
}

}  // namespace
}  // namespace hallmark
