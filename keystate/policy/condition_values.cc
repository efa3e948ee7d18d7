#include "keystate/policy/condition_values.h"

#include <charconv>
#include <system_error>

namespace hallmark {

std::optional<double> ParseNumber(std::string_view text) {
  // from_chars would take "inf" and "nan".
  if (text.find_first_not_of("+-0123456789.eE") != std::string_view::npos) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string_view> SplitArn(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  bool in_variable = false;
  for (std::size_t at = 0; at < text.size() && parts.size() + 1 < kArnParts; ++at) {
    if (text.substr(at).starts_with("${")) in_variable = true;
    if (text[at] == '}') in_variable = false;
    if (text[at] != ':' || in_variable) continue;
    parts.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::optional<std::string_view> TakeArnPart(std::string_view& rest, bool last) {
  if (last) return rest;
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view part = rest.substr(0, colon);
  rest.remove_prefix(colon + 1);
  return part;
}

}  // namespace hallmark
