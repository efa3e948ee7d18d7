#include "service/log/escape.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hallmark::service {
namespace {

bool IsPrintable(char c) { return c >= 0x20 && c <= 0x7e; }

bool NeedsNoQuotes(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsPrintable(c) && c != ' ' && c != '"' && c != '\\' && c != '=';
  });
}

void AppendHex(char c, std::string& out) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += kHex[byte >> 4];
  out += kHex[byte & 0x0f];
}

}  // namespace

void AppendJson(std::string_view text, std::string& out) {
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void AppendPlain(std::string_view text, std::string& out) {
  if (NeedsNoQuotes(text)) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (IsPrintable(c)) {
      out += c;
    } else {
      AppendHex(c, out);
    }
  }
  out += '"';
}

std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (IsPrintable(c)) {
      line += c;
    } else {
      AppendHex(c, line);
    }
  }
  return line;
}

}  // namespace hallmark::service
