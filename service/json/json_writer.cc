#include "service/json/json_writer.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace hallmark {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

bool IsPlain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

// The length of the UTF-8 sequence at the begin of `text`; 0: there is none.
std::size_t Utf8Length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  // Overlong forms, surrogates and what is beyond Unicode.
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

// Appends the first character of `text`, which is not plain; how many bytes it has.
std::size_t AppendEscaped(std::string_view text, std::string* out) {
  const char c = text.front();
  const auto byte = static_cast<unsigned char>(c);
  if (const std::size_t length = Utf8Length(text); length > 0) {
    *out += text.substr(0, length);
    return length;
  }
  if (byte >= 0x80) {
    *out += kReplacement;
    return 1;
  }
  *out += '\\';
  switch (c) {
    case '"':
    case '\\':
      *out += c;
      break;
    case '\t':
      *out += 't';
      break;
    case '\n':
      *out += 'n';
      break;
    case '\r':
      *out += 'r';
      break;
    default: {
      constexpr std::string_view kHex = "0123456789abcdef";
      *out += "u00";
      *out += kHex[byte >> 4U];
      *out += kHex[byte & 0x0FU];
    }
  }
  return 1;
}

}  // namespace

void JsonWriter::Open(char bracket) {
  Separate();
  text_ += bracket;
  first_ = true;
}

void JsonWriter::Close(char bracket) {
  text_ += bracket;
  first_ = false;
}

void JsonWriter::Separate() {
  if (!first_) text_ += ',';
  first_ = false;
}

void JsonWriter::Name(std::string_view name) {
  Separate();
  Quote(name, kWhole);
  text_ += ':';
  first_ = true;
}

void JsonWriter::Text(std::string_view text, std::size_t max_bytes) {
  Separate();
  Quote(text, max_bytes);
}

void JsonWriter::Number(std::int64_t number) {
  Separate();
  text_ += std::to_string(number);
}

void JsonWriter::Bool(bool value) {
  Separate();
  text_ += value ? "true" : "false";
}

void JsonWriter::Null() {
  Separate();
  text_ += "null";
}

void JsonWriter::Quote(std::string_view text, std::size_t max_bytes) {
  text_ += '"';
  const std::size_t begin = text_.size();
  const std::size_t before_ellipsis =
      max_bytes >= kEllipsis.size() ? max_bytes - kEllipsis.size() : 0;
  // Where it is cut if it proves too long: the end of the last character that leaves room.
  std::size_t kept = 0;
  while (!text.empty() && text_.size() - begin <= max_bytes) {
    const std::size_t written = text_.size() - begin;
    if (IsPlain(text.front())) {
      const auto stop = std::find_if_not(text.begin(), text.end(), IsPlain);
      const auto plain = static_cast<std::size_t>(stop - text.begin());
      // One more than fits shows that it is too long.
      const std::size_t taken = std::min(plain, std::max<std::size_t>(1, max_bytes - written));
      text_ += text.substr(0, taken);
      text.remove_prefix(taken);
      if (written <= before_ellipsis) kept = std::min(written + taken, before_ellipsis);
    } else {
      text.remove_prefix(AppendEscaped(text, &text_));
      if (text_.size() - begin <= before_ellipsis) kept = text_.size() - begin;
    }
  }
  if (text_.size() - begin > max_bytes) {
    text_.resize(begin + kept);
    if (max_bytes >= kEllipsis.size()) text_ += kEllipsis;
  }
  text_ += '"';
}

}  // namespace hallmark
