#include "service/authn/signing_time.h"

#include <algorithm>
#include <array>

namespace hallmark::authn {
namespace {

constexpr std::array<std::string_view, 7> kWeekdays = {"Sun", "Mon", "Tue", "Wed",
                                                       "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// The digits of `text` that stand where `pattern` has this letter; every other character must be
// the pattern's own. Nothing: they are not.
class Fields {
 public:
  Fields(std::string_view text, std::string_view pattern) : text_(text), pattern_(pattern) {}

  bool Fit() const {
    if (text_.size() != pattern_.size()) return false;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const bool digit = text_[i] >= '0' && text_[i] <= '9';
      if (pattern_[i] == '.') continue;
      if (IsField(pattern_[i]) ? !digit : text_[i] != pattern_[i]) return false;
    }
    return true;
  }
  int Number(char field) const {
    int number = 0;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (pattern_[i] == field) number = 10 * number + (text_[i] - '0');
    }
    return number;
  }

 private:
  static bool IsField(char c) { return c >= 'a' && c <= 'z'; }

  std::string_view text_;
  std::string_view pattern_;
};

// The place of a name, from 0.
template <std::size_t n>
std::optional<unsigned> PlaceOf(const std::array<std::string_view, n>& names,
                                std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<unsigned>(found - names.begin());
}

// No leap seconds: neither clocks nor clients count them.
std::optional<SigningTime> TimeOf(const Fields& fields, unsigned month) {
  const std::chrono::year_month_day date(
      std::chrono::year(fields.Number('y')), std::chrono::month(month),
      std::chrono::day(static_cast<unsigned>(fields.Number('d'))));
  const int hour = fields.Number('h');
  const int minute = fields.Number('m');
  const int second = fields.Number('s');
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

void AppendNumber(unsigned number, std::size_t digits, std::string* out) {
  const std::string text = std::to_string(number);
  out->append(digits - std::min(digits, text.size()), '0').append(text);
}

}  // namespace

std::optional<SigningTime> ParseBasicTime(std::string_view text) {
  const Fields fields(text, "yyyynnddThhmmssZ");
  if (!fields.Fit()) return std::nullopt;
  return TimeOf(fields, static_cast<unsigned>(fields.Number('n')));
}

std::optional<SigningTime> ParseHttpDate(std::string_view text) {
  for (const std::string_view zone : {" GMT", " -0000", " +0000"}) {
    if (!text.ends_with(zone)) continue;
    text.remove_suffix(zone.size());
    const Fields fields(text, "..., dd ... yyyy hh:mm:ss");
    if (!fields.Fit()) return std::nullopt;
    const auto weekday = PlaceOf(kWeekdays, text.substr(0, 3));
    const auto month = PlaceOf(kMonths, text.substr(8, 3));
    if (!weekday || !month) return std::nullopt;
    const auto time = TimeOf(fields, *month + 1);
    if (!time) return std::nullopt;
    const std::chrono::weekday day(std::chrono::floor<std::chrono::days>(*time));
    return day.c_encoding() == *weekday ? time : std::nullopt;
  }
  return std::nullopt;
}

std::string FormatBasicDay(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  std::string text;
  AppendNumber(static_cast<unsigned>(static_cast<int>(date.year())), 4, &text);
  AppendNumber(static_cast<unsigned>(date.month()), 2, &text);
  AppendNumber(static_cast<unsigned>(date.day()), 2, &text);
  return text;
}

std::string FormatBasicTime(SigningTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string text = FormatBasicDay(day) + "T";
  AppendNumber(static_cast<unsigned>(clock.hours().count()), 2, &text);
  AppendNumber(static_cast<unsigned>(clock.minutes().count()), 2, &text);
  AppendNumber(static_cast<unsigned>(clock.seconds().count()), 2, &text);
  return text + "Z";
}

}  // namespace hallmark::authn
