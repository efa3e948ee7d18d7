#include "service/http/request_head.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark::http_front {
namespace {

constexpr std::size_t kMaxBodyBytes = 1000;

// Status 0: taken.
struct Row {
  const char* name;
  const char* request_line;
  const char* headers;  // after Host
  int status;
};

constexpr const char* kPost = "POST / HTTP/1.1";

constexpr Row kRows[] = {
    {"Plain", kPost, "Content-Length: 5\r\n", 0},
    {"WithoutBody", kPost, "", 0},
    {"LargestBody", kPost, "Content-Length: 1000\r\n", 0},
    {"LargerBody", kPost, "Content-Length: 1001\r\n", 413},
    {"OneGibibyte", kPost, "Content-Length: 1073741824\r\n", 413},
    {"LengthBeyondNumbers", kPost, "Content-Length: 99999999999999999999999\r\n", 400},
    {"NegativeLength", kPost, "Content-Length: -1\r\n", 400},
    {"SignedLength", kPost, "Content-Length: +5\r\n", 400},
    {"HexLength", kPost, "Content-Length: 0x5\r\n", 400},
    {"EmptyLength", kPost, "Content-Length: \r\n", 400},
    {"TwoLengths", kPost, "Content-Length: 5\r\nContent-Length: 6\r\n", 400},
    {"TwoEqualLengths", kPost, "Content-Length: 5\r\nContent-Length: 5\r\n", 400},
    {"ListOfLengths", kPost, "Content-Length: 5, 5\r\n", 400},
    {"LengthThenChunked", kPost, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
    {"ChunkedThenLength", kPost, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400},
    {"IdentityAndLength", kPost, "Transfer-Encoding: identity\r\nContent-Length: 5\r\n", 400},
    {"Chunked", kPost, "Transfer-Encoding: chunked\r\n", 411},
    {"DisguisedChunked", kPost, "Transfer-Encoding: xchunked\r\n", 411},
    {"SpaceBeforeColon", kPost, "Content-Length : 5\r\n", 400},
    {"SecondHost", kPost, "Host: other\r\n", 400},
    {"NameWithoutColon", kPost, "Nonsense\r\n", 400},
    {"ControlCharacter", kPost,
     "X: a\x01"
     "b\r\n",
     400},
    {"Continue", kPost, "Expect: 100-Continue\r\nContent-Length: 5\r\n", 0},
    {"OtherExpectation", kPost, "Expect: a-pony\r\n", 417},
    {"Http10", "POST / HTTP/1.0", "", 505},
    {"Http2", "PRI * HTTP/2.0", "", 505},
    {"NoVersion", "POST /", "", 400},
    {"SpaceInTheTarget", "POST / x HTTP/1.1", "", 400},
    {"NoMethod", " / HTTP/1.1", "", 400},
};

std::string Head(const Row& row) {
  return std::string(row.request_line) + "\r\nHost: h\r\n" + row.headers + "\r\n";
}

class RequestHeadTest : public ::testing::TestWithParam<Row> {};

TEST_P(RequestHeadTest, IsTakenOrRefused) {
  const auto head = ParseHead(Head(GetParam()), kMaxBodyBytes);
  EXPECT_EQ(head.has_value() ? 0 : head.error().status, GetParam().status);
}

INSTANTIATE_TEST_SUITE_P(Rows, RequestHeadTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(RequestHeadContentsTest, EverythingIsThereAsItWasSent) {
  const auto head = ParseHead(
      "POST /a/?b=c HTTP/1.1\r\nHost: h\r\nX-Two:  a  b \r\nx-two: c\r\n"
      "Content-Length: 7\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n",
      kMaxBodyBytes);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->target, "/a/?b=c");
  EXPECT_EQ(head->content_length, 7U);
  EXPECT_FALSE(head->keep_alive);
  EXPECT_TRUE(head->expects_continue);
  const auto views = head->HeaderViews();
  ASSERT_EQ(views.size(), 6U);
  EXPECT_EQ(views[1].name, "X-Two");
  EXPECT_EQ(views[1].value, "a  b");
  EXPECT_EQ(views[2].name, "x-two");
}

TEST(RequestHeadContentsTest, AConnectionStaysUnlessTheCallerEndsIt) {
  const auto head = ParseHead("POST / HTTP/1.1\r\nHost: h\r\n\r\n", kMaxBodyBytes);
  ASSERT_TRUE(head.has_value());
  EXPECT_TRUE(head->keep_alive);
  EXPECT_EQ(head->content_length, 0U);
}

TEST(RequestHeadContentsTest, WithoutHostItIsRefused) {
  const auto head = ParseHead("POST / HTTP/1.1\r\n\r\n", kMaxBodyBytes);
  ASSERT_FALSE(head.has_value());
  EXPECT_EQ(head.error().status, 400);
}

}  // namespace
}  // namespace hallmark::http_front
