#include "service/cli/request_builder.h"

#include "hallmark/v1/kms.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace hallmark::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The problem, or nothing.
template <class Request>
std::string Set(Request& request, const std::string& field, const std::vector<std::string>& words) {
  const auto result = SetField(*Request::descriptor()->FindFieldByName(field), words, &request);
  return result ? std::string() : result.error().message;
}

class RequestBuilderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "hallmark-cli-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string WriteFile(const std::string& name, const std::string& content) {
    const std::string path = directory_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  std::filesystem::path directory_;
  v1::GenerateMacRequest mac_;
  v1::CreateKeyRequest key_;
};

TEST_F(RequestBuilderTest, TextIsTakenAsItStands) {
  EXPECT_EQ(Set(mac_, "key_id", {"alias/demo"}), "");
  EXPECT_EQ(mac_.key_id(), "alias/demo");
}

TEST_F(RequestBuilderTest, EmptyTextIsPresent) {
  EXPECT_EQ(Set(key_, "description", {""}), "");
  EXPECT_TRUE(key_.has_description());
}

TEST_F(RequestBuilderTest, TextComesFromAFile) {
  EXPECT_EQ(Set(key_, "policy", {"file://" + WriteFile("policy.json", "{}\n")}), "");
  EXPECT_EQ(key_.policy(), "{}\n");
}

TEST_F(RequestBuilderTest, TextFromABinaryFileIsRefused) {
  EXPECT_THAT(Set(key_, "description", {"fileb:///dev/null"}), HasSubstr("file://PATH"));
}

TEST_F(RequestBuilderTest, BlobIsBase64) {
  EXPECT_EQ(Set(mac_, "message", {"AP/+"}), "");
  EXPECT_EQ(mac_.message(), std::string("\x00\xff\xfe", 3));
}

TEST_F(RequestBuilderTest, BlobComesRawFromABinaryFile) {
  const std::string bytes("\x00\n\xff not base64", 14);
  EXPECT_EQ(Set(mac_, "message", {"fileb://" + WriteFile("message", bytes)}), "");
  EXPECT_EQ(mac_.message(), bytes);
}

TEST_F(RequestBuilderTest, BlobFromATextFileIsBase64) {
  EXPECT_EQ(Set(mac_, "message", {"file://" + WriteFile("message.b64", "aGFsbG1hcms=\n")}), "");
  EXPECT_EQ(mac_.message(), "hallmark");
}

TEST_F(RequestBuilderTest, EveryDeviationFromBase64IsRefused) {
  for (const char* text :
       {"aGk", "aGk=\n", " aGk=", "aG k=", "aGk==", "aGl=", "aGk_", "====", "=aGk"}) {
    EXPECT_THAT(Set(mac_, "message", {text}), HasSubstr("--message: is not base64")) << text;
    EXPECT_FALSE(mac_.has_message()) << text;
  }
}

TEST_F(RequestBuilderTest, MissingFileIsNamed) {
  const std::string path = directory_ / "absent";
  EXPECT_EQ(Set(mac_, "message", {"fileb://" + path}),
            "--message: cannot read '" + path + "': No such file or directory");
}

TEST_F(RequestBuilderTest, FolderIsNotAFile) {
  EXPECT_THAT(Set(mac_, "message", {"fileb://" + directory_.string()}), HasSubstr("is a folder"));
}

TEST_F(RequestBuilderTest, EnumIsGivenByItsKmsName) {
  EXPECT_EQ(Set(mac_, "mac_algorithm", {"HMAC_SHA_384"}), "");
  EXPECT_EQ(mac_.mac_algorithm(), v1::MAC_ALGORITHM_HMAC_SHA_384);
}

TEST_F(RequestBuilderTest, UnknownEnumNameListsTheKnownOnes) {
  EXPECT_EQ(Set(mac_, "mac_algorithm", {"MAC_ALGORITHM_HMAC_SHA_384"}),
            "--mac-algorithm: 'MAC_ALGORITHM_HMAC_SHA_384' is not one of "
            "[HMAC_SHA_224, HMAC_SHA_256, HMAC_SHA_384, HMAC_SHA_512]");
}

TEST_F(RequestBuilderTest, FalseIsPresent) {
  EXPECT_EQ(Set(mac_, "dry_run", {"false"}), "");
  EXPECT_TRUE(mac_.has_dry_run());
  EXPECT_FALSE(mac_.dry_run());
}

TEST_F(RequestBuilderTest, NumbersAreWholeAndInRange) {
  v1::ListKeysRequest list;
  EXPECT_EQ(Set(list, "limit", {"17"}), "");
  EXPECT_EQ(list.limit(), 17);
  EXPECT_THAT(Set(list, "limit", {"17.5"}), HasSubstr("not a whole number"));
  EXPECT_THAT(Set(list, "limit", {""}), HasSubstr("not a whole number"));
  EXPECT_THAT(Set(list, "limit", {"4294967296"}), HasSubstr("too large"));
}

TEST_F(RequestBuilderTest, RepeatedTextTakesSeveralWords) {
  EXPECT_EQ(Set(mac_, "grant_tokens", {"a", "b"}), "");
  EXPECT_THAT(mac_.grant_tokens(), ElementsAre("a", "b"));
}

TEST_F(RequestBuilderTest, StructuresAreWrittenInShorthand) {
  EXPECT_EQ(Set(key_, "tags", {"TagKey=team,TagValue=a b", "TagValue='x,y',TagKey=\"k=\\\"v\""}),
            "");
  ASSERT_EQ(key_.tags_size(), 2);
  EXPECT_EQ(key_.tags(0).tag_key(), "team");
  EXPECT_EQ(key_.tags(0).tag_value(), "a b");
  EXPECT_EQ(key_.tags(1).tag_key(), "k=\"v");
  EXPECT_EQ(key_.tags(1).tag_value(), "x,y");
}

TEST_F(RequestBuilderTest, BadShorthandSaysWhatIsExpected) {
  for (const char* text : {"team", "Key=a", "TagKey=a,", "TagKey='a", "=a", "{\"TagKey\":\"a\"}"}) {
    EXPECT_THAT(Set(key_, "tags", {text}),
                HasSubstr("is not of the form TagKey=value,TagValue=value"))
        << text;
  }
}

TEST_F(RequestBuilderTest, PairsAreWrittenKeyEqualsValue) {
  v1::ExplainRequest explain;
  EXPECT_EQ(Set(explain, "context", {"aws:SourceIp=10.0.0.1", "aws:RequestTag/a=b=c"}), "");
  ASSERT_EQ(explain.context_size(), 2);
  EXPECT_EQ(explain.context(0).key(), "aws:SourceIp");
  EXPECT_EQ(explain.context(0).value(), "10.0.0.1");
  EXPECT_EQ(explain.context(1).key(), "aws:RequestTag/a");
  EXPECT_EQ(explain.context(1).value(), "b=c");
  for (const char* text : {"aws:SourceIp", "=10.0.0.1", ""}) {
    EXPECT_THAT(Set(explain, "context", {text}), HasSubstr("is not of the form KEY=VALUE"));
  }
}

}  // namespace
}  // namespace hallmark::cli
