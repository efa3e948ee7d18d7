// JSON text, appended member by member.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark {

// Writes one value; the caller keeps begins and ends in pairs.
class JsonWriter {
 public:
  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  void Name(std::string_view name);

  static constexpr std::size_t kWhole = std::numeric_limits<std::size_t>::max();

  // Bytes that are not UTF-8 become U+FFFD. Of `text` as it is written at most `max_bytes` remain:
  // the rest is cut off between two characters, in its place an ellipsis.
  void Text(std::string_view text, std::size_t max_bytes = kWhole);
  void Number(std::int64_t number);
  void Bool(bool value);
  void Null();

  void Member(std::string_view name, std::string_view text, std::size_t max_bytes = kWhole) {
    Name(name);
    Text(text, max_bytes);
  }

  // A value that is JSON already.
  void Raw(std::string_view json) {
    Separate();
    text_ += json;
  }
  void Raw(std::string_view name, std::string_view json) {
    Name(name);
    Raw(json);
  }

  const std::string& text() const { return text_; }
  std::string Take() { return std::move(text_); }

 private:
  void Open(char bracket);
  void Close(char bracket);
  // The comma before a value or name that is not the first.
  void Separate();
  void Quote(std::string_view text, std::size_t max_bytes);

  std::string text_;
  bool first_ = true;
};

}  // namespace hallmark
