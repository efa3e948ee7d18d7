#include "keystate/base64.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace hallmark {
namespace {

struct Row {
  std::string_view bytes;
  std::string_view text;
};

// Source: RFC 4648, section 10; and the two digits that other alphabets spell differently.
constexpr Row kPairs[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+"},
};

TEST(Base64Test, EveryLengthIsWrittenAndReadBack) {
  for (const auto& [bytes, text] : kPairs) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text), std::string(bytes)) << text;
  }
}

TEST(Base64Test, EveryByteSurvives) {
  std::string bytes;
  for (int i = 0; i < 3 * 256; ++i) bytes += static_cast<char>(i * 7);
  for (std::size_t size = bytes.size() - 3; size <= bytes.size(); ++size) {
    const std::string some = bytes.substr(0, size);
    EXPECT_EQ(DecodeBase64(EncodeBase64(some)), some);
  }
}

TEST(Base64Test, WhatTheEncoderDoesNotWriteIsRefused) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {"Zg"sv, "Zg="sv, "Zg==="sv, "Zg==\n"sv, " Zg=="sv, "Z g="sv, "Zg==Zg=="sv, "Zg=A"sv,
        "===="sv, "=Zg="sv, "Z==="sv, "-__-"sv, "Zm8\0"sv, "Z\xc3\xa9="sv,
        // Bits behind the last byte: "Zg==" and "Zm8=" are the same bytes.
        "Zh=="sv, "Zm9="sv, "Zv=="sv}) {
    EXPECT_FALSE(DecodeBase64(text)) << text;
  }
}

}  // namespace
}  // namespace hallmark
