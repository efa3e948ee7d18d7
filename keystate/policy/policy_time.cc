#include "keystate/policy/policy_time.h"

#include <charconv>
#include <chrono>
#include <cstdint>

namespace hallmark {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Reads a text from its front.
class Reader {
 public:
  explicit Reader(std::string_view rest) : rest_(rest) {}

  bool Done() const { return rest_.empty(); }
  bool Take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Exactly `digits` digits.
  std::optional<int> Number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  // The digits behind a decimal point; those behind the third do not count.
  std::optional<milliseconds> Fraction() {
    int value = 0;
    std::size_t digits = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      if (digits < 3) value = value * 10 + (rest_.front() - '0');
      ++digits;
      rest_.remove_prefix(1);
    }
    if (digits == 0) return std::nullopt;
    for (; digits < 3; ++digits) value *= 10;
    return milliseconds(value);
  }

 private:
  std::string_view rest_;
};

std::optional<minutes> ReadZone(Reader& reader) {
  if (reader.Take('Z')) return minutes(0);
  const bool west = reader.Take('-');
  if (!west && !reader.Take('+')) return std::nullopt;
  const auto hour = reader.Number(2);
  if (!hour || *hour > 23 || !reader.Take(':')) return std::nullopt;
  const auto minute = reader.Number(2);
  if (!minute || *minute > 59) return std::nullopt;
  const minutes offset = hours(*hour) + minutes(*minute);
  return west ? -offset : offset;
}

// "Thh:mm[:ss[.f]]" and its zone, as the time since midnight UTC.
std::optional<milliseconds> ReadTime(Reader& reader) {
  const auto hour = reader.Number(2);
  if (!hour || *hour > 23 || !reader.Take(':')) return std::nullopt;
  const auto minute = reader.Number(2);
  if (!minute || *minute > 59) return std::nullopt;
  milliseconds time = hours(*hour) + minutes(*minute);
  if (reader.Take(':')) {
    const auto second = reader.Number(2);
    if (!second || *second > 59) return std::nullopt;
    time += seconds(*second);
    if (reader.Take('.')) {
      const auto fraction = reader.Fraction();
      if (!fraction) return std::nullopt;
      time += *fraction;
    }
  }
  const auto zone = ReadZone(reader);
  if (!zone) return std::nullopt;
  return time - *zone;
}

std::optional<WallTime> ParseEpochSeconds(std::string_view text) {
  // Beyond year 9999 a milliseconds' count could overflow where it is compared.
  constexpr std::int64_t kMaxSeconds = 253'402'300'799;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < -kMaxSeconds || value > kMaxSeconds) return std::nullopt;
  return WallTime(seconds(value));
}

}  // namespace

std::optional<WallTime> ParsePolicyTime(std::string_view text) {
  if (const auto time = ParseEpochSeconds(text)) return time;
  Reader reader(text);
  const auto year = reader.Number(4);
  if (!year || !reader.Take('-')) return std::nullopt;
  const auto month = reader.Number(2);
  if (!month || !reader.Take('-')) return std::nullopt;
  const auto day = reader.Number(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  WallTime time = std::chrono::sys_days(date);
  if (reader.Done()) return time;
  if (!reader.Take('T')) return std::nullopt;
  const auto since_midnight = ReadTime(reader);
  if (!since_midnight || !reader.Done()) return std::nullopt;
  return time + *since_midnight;
}

std::string_view FormatPolicyTime(WallTime time, PolicyTimeBuffer& buffer) {
  const auto midnight = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<seconds>(time - midnight));
  char* out = buffer.data();
  const auto digits = [&out](int value, int count) {
    for (int i = count - 1; i >= 0; --i) {
      out[i] = static_cast<char>('0' + value % 10);
      value /= 10;
    }
    out += count;
  };
  const auto two = [&](auto value, char behind) {
    digits(static_cast<int>(value), 2);
    *out++ = behind;
  };
  digits(static_cast<int>(date.year()), 4);
  *out++ = '-';
  two(static_cast<unsigned>(date.month()), '-');
  two(static_cast<unsigned>(date.day()), 'T');
  two(clock.hours().count(), ':');
  two(clock.minutes().count(), ':');
  two(clock.seconds().count(), 'Z');
  return {buffer.data(), static_cast<std::size_t>(out - buffer.data())};
}

}  // namespace hallmark
