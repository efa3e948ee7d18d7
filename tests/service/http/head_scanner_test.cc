#include "service/http/head_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace hallmark::http_front {
namespace {

using Found = HeadScanner::Found;
using namespace std::string_view_literals;

struct Row {
  const char* name;
  std::string_view received;
  Found want;
};

constexpr Row kRows[] = {
    {"Whole", "POST / HTTP/1.1\r\nHost: h\r\n\r\n", Found::kHead},
    {"WithWhatFollows", "POST / HTTP/1.1\r\n\r\nbody", Found::kHead},
    {"Nothing", "", Found::kNothingYet},
    {"CutInTheEmptyLine", "POST / HTTP/1.1\r\nHost: h\r\n\r", Found::kNothingYet},
    {"BareLf", "POST / HTTP/1.1\nHost: h\r\n", Found::kMalformed},
    {"BareLfInAValue", "POST / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", Found::kMalformed},
    {"BareCr", "POST / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", Found::kMalformed},
    {"CrCrLf", "POST / HTTP/1.1\r\r\n\r\n", Found::kMalformed},
    {"LineOfSpaceIsObsFold", "POST / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", Found::kMalformed},
    {"LineOfTabIsObsFold", "POST / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n", Found::kMalformed},
    {"SpaceFirst", " POST / HTTP/1.1\r\n\r\n", Found::kMalformed},
    {"Nul", "POST / HTTP/1.1\r\nX: \0\r\n\r\n"sv, Found::kMalformed},
    {"EmptyLineFirst", "\r\nPOST / HTTP/1.1\r\n\r\n", Found::kMalformed},
    {"ManyLines", "P\r\na:1\r\na:2\r\na:3\r\na:4\r\na:5\r\n\r\n", Found::kTooLong},
    {"AsManyAsAllowed", "P\r\na:1\r\na:2\r\na:3\r\n\r\n", Found::kHead},
    {"LongLine", "POST /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     Found::kTooLong},
};

class HeadScannerTest : public ::testing::TestWithParam<Row> {};

TEST_P(HeadScannerTest, AtOnce) {
  HeadScanner scanner(64, 4);
  EXPECT_EQ(scanner.Scan(GetParam().received), GetParam().want);
}

TEST_P(HeadScannerTest, ByteByByteItIsTheSame) {
  HeadScanner scanner(64, 4);
  Found found = Found::kNothingYet;
  for (std::size_t size = 1; size <= GetParam().received.size() && found == Found::kNothingYet;
       ++size) {
    found = scanner.Scan(GetParam().received.substr(0, size));
  }
  EXPECT_EQ(found, GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(Rows, HeadScannerTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(HeadScannerSizeTest, TheHeadEndsWithItsEmptyLine) {
  HeadScanner scanner(64, 4);
  const std::string head = "POST / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(scanner.Scan(head + "next"), Found::kHead);
  EXPECT_EQ(scanner.head_bytes(), head.size());
  scanner.Reset();
  EXPECT_EQ(scanner.Scan("next"), Found::kNothingYet);
}

}  // namespace
}  // namespace hallmark::http_front
