// Lists of pairs of texts in one column.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace hallmark::store {

// Every text as "<bytes>:<text>", one after the other: whatever is in a text, nothing needs an
// escape. An empty list is an empty text.
template <class Pair>
std::string EncodePairs(const std::vector<Pair>& pairs, std::string Pair::*first,
                        std::string Pair::*second) {
  std::string encoded;
  for (const Pair& pair : pairs) {
    for (const std::string Pair::*member : {first, second}) {
      const std::string& text = pair.*member;
      encoded.append(std::to_string(text.size())).append(":").append(text);
    }
  }
  return encoded;
}

// Takes the next text off `encoded`; nothing if it does not begin with one.
inline std::optional<std::string> DecodeText(std::string_view& encoded) {
  std::size_t size = 0;
  const char* end = encoded.data() + encoded.size();
  const auto [colon, error] = std::from_chars(encoded.data(), end, size);
  if (error != std::errc() || colon == end || *colon != ':') return std::nullopt;
  encoded.remove_prefix(static_cast<std::size_t>(colon - encoded.data()) + 1);
  if (size > encoded.size()) return std::nullopt;
  std::string text(encoded.substr(0, size));
  encoded.remove_prefix(size);
  return text;
}

template <class Pair>
std::optional<std::vector<Pair>> DecodePairs(std::string_view encoded) {
  std::vector<Pair> pairs;
  while (!encoded.empty()) {
    std::optional<std::string> first = DecodeText(encoded);
    std::optional<std::string> second = first ? DecodeText(encoded) : std::nullopt;
    if (!second) return std::nullopt;
    pairs.push_back({*std::move(first), *std::move(second)});
  }
  return pairs;
}

}  // namespace hallmark::store
