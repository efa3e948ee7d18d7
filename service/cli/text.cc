#include "service/cli/text.h"

#include <sstream>

namespace hallmark::cli {

std::string Wrap(std::string_view text, std::size_t indent, std::size_t width) {
  std::string wrapped;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string current;
    for (std::string word; words >> word;) {
      if (!current.empty() && indent + current.size() + 1 + word.size() > width) {
        wrapped += std::string(indent, ' ') + current + "\n";
        current.clear();
      }
      current += (current.empty() ? "" : " ") + word;
    }
    wrapped += current.empty() ? "\n" : std::string(indent, ' ') + current + "\n";
  }
  return wrapped;
}

std::string_view FirstSentence(std::string_view text) {
  const std::size_t line_end = text.find('\n');
  const std::string_view line = text.substr(0, line_end);
  const std::size_t period = line.find(". ");
  if (period != std::string_view::npos) return line.substr(0, period);
  return line.ends_with('.') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace hallmark::cli
