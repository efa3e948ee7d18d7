// JSON text, appended member by member.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::audit {

// Writes one value; the caller keeps begins and ends in pairs.
class JsonWriter {
 public:
  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  void Name(std::string_view name);

  // Bytes that are not UTF-8 become U+FFFD.
  void Text(std::string_view text);
  void Number(std::int64_t number);
  void Bool(bool value);
  void Null();

  void Member(std::string_view name, std::string_view text) {
    Name(name);
    Text(text);
  }

  // A member whose value is JSON already.
  void Raw(std::string_view name, std::string_view json) {
    Name(name);
    Separate();
    text_ += json;
  }

  const std::string& text() const { return text_; }
  std::string Take() { return std::move(text_); }

 private:
  void Open(char bracket);
  void Close(char bracket);
  // The comma before a value or name that is not the first.
  void Separate();
  void Quote(std::string_view text);

  std::string text_;
  bool first_ = true;
};

}  // namespace hallmark::audit
