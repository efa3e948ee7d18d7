// Prose for terminals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hallmark::cli {

// Every line of `text` broken between words so that none is longer than `width`, and indented by
// `indent` columns, which count. Ends with a line break unless `text` is empty.
std::string Wrap(std::string_view text, std::size_t indent, std::size_t width = 80);

// Up to the first period that ends a sentence, without it.
std::string_view FirstSentence(std::string_view text);

}  // namespace hallmark::cli
