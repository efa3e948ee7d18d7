// Help, completion scripts and manual pages, as the program prints them and as shells and man read
// them.
#include "tests/support/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

namespace fs = std::filesystem;

std::string Printed(const std::vector<std::string>& arguments) {
  std::vector<std::string> line{HALLMARK_BINARY_DIR "/hallmark"};
  line.insert(line.end(), arguments.begin(), arguments.end());
  const Finished finished = hallmark::testing::Run(line);
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  return finished.output;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

TEST(HelpTest, VerbsAreListedInGroupsWithWhatTheyDo) {
  const std::string help = Printed({"--help"});
  for (const char* heading : {"Keys:", "Aliases:", "MACs:", "Administration:", "Other:"}) {
    EXPECT_THAT(help, HasSubstr(std::string("\n") + heading + "\n"));
  }
  EXPECT_THAT(help, HasSubstr("  generate-mac              Makes a MAC: "));
  EXPECT_THAT(help, Not(HasSubstr("\n  man ")));
}

TEST(HelpTest, NoLineIsTooLongForATerminal) {
  for (const char* verb : {"create-key", "generate-mac", "verify-mac", "create-alias"}) {
    for (const std::string& line : Lines(Printed({verb, "--help"}))) EXPECT_LE(line.size(), 80U);
  }
}

TEST(HelpTest, AVerbExplainsItselfItsFlagsAndEndsWithExamples) {
  const std::string help = Printed({"generate-mac", "--help"});
  EXPECT_THAT(help, StartsWith("Makes a MAC: "));
  EXPECT_THAT(help, HasSubstr("\n  --message BLOB (required)\n      What to make a MAC of."));
  EXPECT_THAT(help, HasSubstr("\n      1 to 4096 bytes; base64, or fileb://PATH\n"));
  EXPECT_THAT(help, HasSubstr("\nExamples:\n"));
}

TEST(HelpTest, EveryVerbAndFlagHasADescription) {
  // In the manual page a text that is missing leaves a bare heading or term.
  const std::string page = Printed({"man", "hallmark"});
  EXPECT_THAT(page, Not(HasSubstr("See above.")));
  static const std::regex kBareVerb(R"(\n\.SS [^\n]*\n\.)");
  EXPECT_FALSE(std::regex_search(page, kBareVerb));
}

// Completion scripts in the three shells.
class CompletionTest : public ::testing::Test {
 protected:
  CompletionTest() {
    directory_.Write("message.bin", "m");
    fs::create_directory(directory_.path() / "messages");
  }

  std::string Script(const std::string& shell) const {
    return directory_.Write("completion." + shell, Printed({"completion", shell}));
  }

  // What the script answers to Tab at the end of `line`, in a directory with message.bin and
  // messages/. `preamble` runs first.
  std::vector<std::string> Bash(const std::string& line, const std::string& preamble = "") const {
    const Finished finished = hallmark::testing::Run(
        {"/bin/bash", "--norc", "-c",
         "cd \"$1\" || exit 1\n" + preamble +
             "\n. \"$2\" || exit 1\nCOMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'\n"
             "COMP_LINE=\"$3\" COMP_POINT=\"${#3}\"\n_hallmark\nprintf '%s\\n' \"${COMPREPLY[@]}\"",
         "test", directory_.path(), Script("bash"), line});
    EXPECT_EQ(finished.errors, "");
    return Lines(finished.output);
  }

  // With stand-ins for the functions that only a line editor has.
  std::vector<std::string> Zsh(const std::string& line) const {
    const Finished finished = hallmark::testing::Run(
        {"/usr/bin/zsh", "-f", "-c",
         "cd $1 || exit 1\n"
         "compadd() { while [[ $1 == -* ]]; do [[ $1 == -- ]] && { shift; break }; shift 2; done; "
         "print -l -- ${(M)@:#$PREFIX*} }\n"
         "compset() { local p=$2; [[ $PREFIX == ${~p}* ]] || return 1; PREFIX=${PREFIX#${~p}} }\n"
         "_files() { print -l -- $PREFIX*(N) }\n_message() { : }\n"
         "run() { local -a words; words=(\"${(@s: :)3}\"); local CURRENT=$#words "
         "PREFIX=$words[-1]; . $2 }\nrun \"$@\"",
         "test", directory_.path(), Script("zsh"), line});
    EXPECT_EQ(finished.errors, "");
    return Lines(finished.output);
  }

  // Answers without their descriptions.
  std::vector<std::string> Fish(const std::string& line) const {
    const Finished finished = hallmark::testing::Run(
        {"/usr/bin/fish", "--no-config", "-c", "cd $argv[1]; source $argv[2]; complete -C $argv[3]",
         directory_.path(), Script("fish"), line},
        {"HOME=" + directory_.path().string()});
    EXPECT_EQ(finished.errors, "");
    std::vector<std::string> words;
    for (const std::string& answer : Lines(finished.output)) {
      words.push_back(answer.substr(0, answer.find('\t')));
    }
    return words;
  }

  const TemporaryDirectory directory_;
};

TEST_F(CompletionTest, BashOffersVerbsOfEveryLevel) {
  EXPECT_THAT(Bash("hallmark generate-m"), ElementsAre("generate-mac"));
  EXPECT_THAT(Bash("hallmark "), AllOf(Contains("principal"), Not(Contains("man"))));
  EXPECT_THAT(Bash("hallmark principal r"), UnorderedElementsAre("remove", "rotate"));
  EXPECT_THAT(Bash("hallmark --output json prin"), ElementsAre("principal"));
}

TEST_F(CompletionTest, BashOffersFlagsOfTheVerbAndOfAll) {
  EXPECT_THAT(Bash("hallmark generate-mac --m"),
              UnorderedElementsAre("--message", "--mac-algorithm", "--message-crc32c"));
  EXPECT_THAT(Bash("hallmark principal rotate --"),
              AllOf(Contains("--keep-old"), Contains("--home"), Not(Contains("--policy"))));
  EXPECT_THAT(Bash("hallmark describe-key "), Contains("--key-id"));
}

TEST_F(CompletionTest, BashOffersTheWordsThatAFlagTakes) {
  EXPECT_THAT(Bash("hallmark generate-mac --mac-algorithm HMAC_SHA_2"),
              UnorderedElementsAre("HMAC_SHA_224", "HMAC_SHA_256"));
  EXPECT_THAT(Bash("hallmark generate-mac --mac-algorithm=HMAC_SHA_5"),
              ElementsAre("HMAC_SHA_512"));
  EXPECT_THAT(Bash("hallmark list-keys --output t"), UnorderedElementsAre("text", "table"));
  EXPECT_THAT(Bash("hallmark describe-key --key-id "), IsEmpty());
  EXPECT_THAT(Bash("hallmark completion "), UnorderedElementsAre("bash", "fish", "zsh"));
  EXPECT_THAT(Bash("hallmark generate-mac --dry-run --key-"), ElementsAre("--key-id"));
}

TEST_F(CompletionTest, BashOffersFiles) {
  EXPECT_THAT(Bash("hallmark --ca mes"), UnorderedElementsAre("message.bin", "messages"));
  EXPECT_THAT(Bash("hallmark --home mes"), ElementsAre("messages"));
  EXPECT_THAT(Bash("hallmark generate-mac --message fi"),
              UnorderedElementsAre("fileb://", "file://"));
  // Readline has "//mes" for the current word.
  EXPECT_THAT(Bash("hallmark generate-mac --message fileb://mes"),
              UnorderedElementsAre("//message.bin", "//messages/"));
}

TEST_F(CompletionTest, BashCompletionFindsTheScriptByTheProgramsName) {
  const fs::path library = "/usr/share/bash-completion/bash_completion";
  ASSERT_TRUE(fs::exists(library)) << "apt-get install bash-completion";
  fs::create_directories(directory_.path() / "data/bash-completion/completions");
  fs::copy_file(Script("bash"), directory_.path() / "data/bash-completion/completions/hallmark");
  const Finished finished = hallmark::testing::Run(
      {"/bin/bash", "--norc", "-c",
       ". " + library.string() + "; _completion_loader hallmark; complete -p hallmark"},
      {"XDG_DATA_HOME=" + (directory_.path() / "data").string()});
  EXPECT_EQ(finished.output, "complete -F _hallmark hallmark\n") << finished.errors;
  EXPECT_THAT(Bash("hallmark ver", ". " + library.string()), ElementsAre("verify-mac"));
}

TEST_F(CompletionTest, ZshOffersVerbsFlagsWordsAndFiles) {
  EXPECT_THAT(Zsh("hallmark generate-m"), ElementsAre("generate-mac"));
  EXPECT_THAT(Zsh("hallmark principal r"), UnorderedElementsAre("remove", "rotate"));
  EXPECT_THAT(Zsh("hallmark principal rotate --k"), UnorderedElementsAre("--keep-old", "--key"));
  EXPECT_THAT(Zsh("hallmark generate-mac --mac-algorithm HMAC_SHA_2"),
              UnorderedElementsAre("HMAC_SHA_224", "HMAC_SHA_256"));
  EXPECT_THAT(Zsh("hallmark generate-mac --message fileb://mes"),
              UnorderedElementsAre("message.bin", "messages"));
}

TEST_F(CompletionTest, FishOffersVerbsFlagsWordsAndFiles) {
  EXPECT_THAT(Fish("hallmark generate-m"), ElementsAre("generate-mac"));
  EXPECT_THAT(Fish("hallmark completion z"), ElementsAre("zsh"));
  EXPECT_THAT(Fish("hallmark principal r"), UnorderedElementsAre("remove", "rotate"));
  EXPECT_THAT(Fish("hallmark principal rotate --ke"), UnorderedElementsAre("--keep-old", "--key"));
  EXPECT_THAT(Fish("hallmark generate-mac --mac-algorithm HMAC_SHA_2"),
              UnorderedElementsAre("HMAC_SHA_224", "HMAC_SHA_256"));
  EXPECT_THAT(Fish("hallmark generate-mac --message fileb://message."),
              ElementsAre("fileb://message.bin"));
}

class ManualTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string Page() const { return Printed({"man", GetParam()}); }
  const TemporaryDirectory directory_;
};

TEST_P(ManualTest, ManAndGroffHaveNothingToSayAgainstIt) {
  const std::string file = directory_.Write("page.8", Page());
  for (const std::vector<std::string>& reader :
       {std::vector<std::string>{"/usr/bin/groff", "-ww", "-man", "-Tutf8", file},
        std::vector<std::string>{"/usr/bin/man", "--warnings", "-E", "UTF-8", "-P", "cat", "-l",
                                 file}}) {
    const Finished read = hallmark::testing::Run(reader, {"LC_ALL=C.UTF-8", "MANWIDTH=80"});
    EXPECT_EQ(read.exit_code, 0);
    EXPECT_EQ(read.errors, "");
    EXPECT_THAT(read.output, ContainsRegex("The +command +line +is +wrong"));
  }
}

INSTANTIATE_TEST_SUITE_P(Pages, ManualTest, ::testing::Values("hallmark", "hallmarkd"),
                         [](const auto& page) { return std::string(page.param); });

TEST(DaemonManualTest, EveryFlagOfTheDaemonIsExplained) {
  const std::string page =
      std::regex_replace(Printed({"man", "hallmarkd"}), std::regex(R"(\\-)"), "-");
  const Finished help = hallmark::testing::Run({HALLMARK_BINARY_DIR "/hallmarkd", "--help"});
  static const std::regex kFlag("--[a-z-]+");
  std::size_t flags = 0;
  for (std::sregex_iterator it(help.output.begin(), help.output.end(), kFlag), end; it != end;
       ++it, ++flags) {
    EXPECT_THAT(page, HasSubstr(it->str()));
  }
  EXPECT_GE(flags, 4U);
}

TEST(InstallTest, EverythingIsPutInItsPlace) {
  const TemporaryDirectory directory;
  const Finished installed = hallmark::testing::Run(
      {HALLMARK_CMAKE, "--install", HALLMARK_BUILD_DIR, "--prefix", directory.path()});
  ASSERT_EQ(installed.exit_code, 0) << installed.errors;
  for (const char* file :
       {"bin/hallmark", "bin/hallmarkd", "share/man/man1/hallmark.1", "share/man/man8/hallmarkd.8",
        "share/bash-completion/completions/hallmark", "share/zsh/site-functions/_hallmark",
        "share/fish/vendor_completions.d/hallmark.fish", "lib/systemd/system/hallmarkd.service",
        "share/doc/hallmark/hallmark.example.toml"}) {
    EXPECT_TRUE(fs::exists(directory.path() / file)) << file;
  }
  EXPECT_EQ(ReadFile(directory.path() / "share/man/man1/hallmark.1"), Printed({"man", "hallmark"}));
  EXPECT_EQ(hallmark::testing::Run({directory.path() / "bin/hallmark", "--version"}).exit_code, 0);
}

}  // namespace
}  // namespace hallmark::testing
