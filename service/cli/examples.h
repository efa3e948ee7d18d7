// What `--help` and the manual page show of a verb in use.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hallmark::cli {

struct Example {
  std::string_view verb;  // "generate-mac", "principal add"
  std::string_view text;  // what it does; ends with a colon
  std::string_view command_line;
};

std::span<const Example> Examples();

// The examples of a verb as the end of its help; empty if it has none.
std::string ExampleOf(std::string_view verb);

}  // namespace hallmark::cli
