// The patterns of the KMS schema: one character class, repeated.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::app {

// `^[a-zA-Z0-9:/_-]+$`, `[\w]+`, `[\u0020-\u00FF]*`: anchors may be left out. Every
// pattern of the KMS schema that Hallmark needs has this form, so matching is one pass without a
// regular-expression engine, whose recursion a long input could exhaust.
class CharacterClass {
 public:
  // INVARIANT: `pattern` has the form above; it comes from our own .proto files.
  explicit CharacterClass(std::string_view pattern);

  // Every character of the text, which is valid UTF-8, is in the class.
  bool MatchesAll(std::string_view text) const;

 private:
  std::vector<std::pair<char32_t, char32_t>> ranges_;  // inclusive
};

// The number of Unicode code points in valid UTF-8.
std::size_t CodePoints(std::string_view text);

}  // namespace hallmark::app
