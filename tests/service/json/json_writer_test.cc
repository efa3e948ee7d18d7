#include "service/json/json_writer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace hallmark {
namespace {

TEST(JsonWriterTest, WritesWhatAParserReads) {
  JsonWriter out;
  out.BeginObject();
  out.Member("a", "b");
  out.Name("list");
  out.BeginArray();
  out.Number(-7);
  out.Bool(true);
  out.Null();
  out.BeginObject();
  out.EndObject();
  out.EndArray();
  out.Raw("raw", R"({"x":1})");
  out.EndObject();
  EXPECT_EQ(out.text(), R"({"a":"b","list":[-7,true,null,{}],"raw":{"x":1}})");
}

// Whatever bytes come from outside, the line is one line and valid JSON.
TEST(JsonWriterTest, AnyBytesBecomeOneValidString) {
  for (int first = 0; first < 256; ++first) {
    for (const std::string& rest : {std::string(), std::string("\x80"), std::string("\xbf\xbf"),
                                    std::string("\n\"\\"), std::string("\xe2\x82\xac")}) {
      JsonWriter out;
      out.Text(std::string(1, static_cast<char>(first)) + rest);
      EXPECT_EQ(out.text().find('\n'), std::string::npos);
      EXPECT_TRUE(nlohmann::json::accept(out.text())) << first << ' ' << out.text();
    }
  }
}

TEST(JsonWriterTest, TextThatIsFineStaysAsItIs) {
  JsonWriter out;
  out.Text("Grüße, 世界 \xf0\x9f\x94\x91");
  EXPECT_EQ(nlohmann::json::parse(out.text()).get<std::string>(), "Grüße, 世界 \xf0\x9f\x94\x91");
}

// However it is cut, it is whole characters, and no longer than asked for as it is written.
TEST(JsonWriterTest, ACutCountsWhatIsWritten) {
  const std::string pieces = "ab\x01\"\u4e16\xff\n\U0001F511xyz";
  for (std::size_t start = 0; start < pieces.size(); ++start) {
    std::string text = pieces.substr(start) + pieces + pieces;
    JsonWriter whole;
    whole.Text(text);
    for (std::size_t max = 0; max < whole.text().size() + 2; ++max) {
      JsonWriter out;
      out.Text(text, max);
      EXPECT_LE(out.text().size(), max + 2);
      ASSERT_TRUE(nlohmann::json::accept(out.text())) << max << ' ' << out.text();
      if (max + 2 >= whole.text().size()) {
        EXPECT_EQ(out.text(), whole.text()) << max;
      } else if (max >= 3) {
        EXPECT_TRUE(out.text().ends_with("\u2026\"")) << max;
        EXPECT_TRUE(whole.text().starts_with(out.text().substr(0, out.text().size() - 4))) << max;
        EXPECT_GT(out.text().size() + 12, max) << "cut too early";
      }
    }
  }
}

}  // namespace
}  // namespace hallmark
