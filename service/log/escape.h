// Text from outside, made fit for one line of a log.
#pragma once

#include <string>
#include <string_view>

namespace hallmark::service {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void AppendJson(std::string_view text, std::string& out);

// Appends `text` as printable ASCII without line breaks, in quotes where needed: every other byte
// is \xHH. Not only control characters: a terminal also obeys some that are encoded in UTF-8.
void AppendPlain(std::string_view text, std::string& out);

// `text` for a person's terminal: every byte that is not printable ASCII is \xHH, and nothing is
// quoted.
std::string OneLine(std::string_view text);

}  // namespace hallmark::service
