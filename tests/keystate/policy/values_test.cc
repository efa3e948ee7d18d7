// Addresses and times as policies write them.
#include "keystate/policy/ip_range.h"
#include "keystate/policy/policy_time.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

namespace hallmark {
namespace {

using std::chrono::milliseconds;

struct RangeRow {
  const char* range;
  const char* address;
  bool contains;
};

TEST(IpRangeTest, ContainsWhatItsPrefixSays) {
  for (const RangeRow& row : std::initializer_list<RangeRow>{
           {"192.0.2.1", "192.0.2.1", true},
           {"192.0.2.1", "192.0.2.2", false},
           {"192.0.2.0/24", "192.0.2.255", true},
           {"192.0.2.0/24", "192.0.3.0", false},
           {"192.0.2.77/24", "192.0.2.1", true},  // bits behind the prefix do not count
           {"10.128.0.0/9", "10.127.255.255", false},
           {"10.128.0.0/9", "10.200.0.1", true},
           {"0.0.0.0/0", "203.0.113.9", true},
           {"0.0.0.0/0", "2001:db8::1", false},
           {"::/0", "2001:db8::1", true},
           {"::/0", "203.0.113.9", false},
           {"2001:db8::/33", "2001:db8:7fff::1", true},
           {"2001:db8::/33", "2001:db8:8000::1", false},
           {"192.0.2.0/24", "::ffff:192.0.2.9", true},  // a v4 peer of a dual listener
           {"::ffff:192.0.2.0/120", "192.0.2.9", true},
       }) {
    const auto range = IpRange::Parse(row.range);
    const auto address = IpAddress::Parse(row.address);
    ASSERT_TRUE(range && address) << row.range << ", " << row.address;
    EXPECT_EQ(range->Contains(*address), row.contains) << row.range << " and " << row.address;
  }
}

TEST(IpRangeTest, RefusesWhatIsNoRange) {
  for (const char* text : {"", "192.0.2", "192.0.2.256", "192.0.2.1/33", "192.0.2.1/",
                           "192.0.2.1/-1", "192.0.2.1/ 8", "192.0.2.1/8/8", "2001:db8::/129",
                           "2001:db8::1::2", "localhost", "192.0.2.0/0x8", "192.0.2.1 "}) {
    EXPECT_FALSE(IpRange::Parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string("192.0.2.1\0", 10)));
}

struct TimeRow {
  const char* text;
  std::int64_t milliseconds;
};

TEST(PolicyTimeTest, ReadsTheFormsOfIso8601AndSeconds) {
  for (const TimeRow& row : std::initializer_list<TimeRow>{
           {"1970-01-01", 0},
           {"1970-01-01T00:00Z", 0},
           {"1970-01-01T00:00:01Z", 1000},
           {"1970-01-01T00:00:01.5Z", 1500},
           {"1970-01-01T00:00:01.123456Z", 1123},
           {"1970-01-01T01:00:00+01:00", 0},
           {"1969-12-31T23:30:00-00:30", 0},
           {"2026-11-22T12:00:00Z", 1'795'348'800'000},
           {"2024-02-29", 1'709'164'800'000},
           {"1795348800", 1'795'348'800'000},
           {"0", 0},
       }) {
    EXPECT_EQ(ParsePolicyTime(row.text), WallTime(milliseconds(row.milliseconds))) << row.text;
  }
}

TEST(PolicyTimeTest, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "yesterday", "2026-13-01", "2023-02-29", "2026-11-22T12:00:00", "2026-11-22T24:00:00Z",
        "2026-11-22T12:60Z", "2026-11-22T12:00:00.Z", "2026-11-22T12:00:00+1:00", "2026-11",
        "2026-11-22 12:00:00Z", "2026-11-22T12:00:00Zx", "99999999999999999999", "1e9", "-"}) {
    EXPECT_EQ(ParsePolicyTime(text), std::nullopt) << text;
  }
}

TEST(PolicyTimeTest, WritesWholeSeconds) {
  PolicyTimeBuffer buffer;
  EXPECT_EQ(FormatPolicyTime(WallTime(milliseconds(1'795'348'800'999)), buffer),
            "2026-11-22T12:00:00Z");
  EXPECT_EQ(ParsePolicyTime(FormatPolicyTime(WallTime(milliseconds(951'782'400'000)), buffer)),
            WallTime(milliseconds(951'782'400'000)));
}

}  // namespace
}  // namespace hallmark
