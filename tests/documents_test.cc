// The documents of the repository hold together.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace hallmark {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = HALLMARK_SOURCE_DIR;

std::string Read(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::vector<fs::path> Documents() {
  std::vector<fs::path> found;
  for (fs::recursive_directory_iterator it(kRoot), end; it != end; ++it) {
    const std::string name = it->path().filename();
    // Build trees hold what others wrote.
    if (it->is_directory() && (name == "build" || name == ".git")) it.disable_recursion_pending();
    if (it->is_regular_file() && name.ends_with(".md")) found.push_back(it->path());
  }
  return found;
}

// What "a link](target)" or "`folder/file.ext`" names, without code blocks and anchors.
std::vector<std::string> LinksOf(const std::string& text) {
  std::string prose;
  bool in_block = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("```") != std::string::npos) in_block = !in_block;
    if (!in_block) prose += line + "\n";
  }
  static const std::regex kLink(R"(\]\(([^)#\s]+)(#[^)]*)?\))");
  std::vector<std::string> links;
  for (std::sregex_iterator it(prose.begin(), prose.end(), kLink), end; it != end; ++it) {
    if (const std::string target = (*it)[1]; target.find("://") == std::string::npos) {
      links.push_back(target);
    }
  }
  return links;
}

// Paths of this repository that stand between backquotes: from its root, in one of its folders.
std::vector<std::string> PathsOf(const std::string& text) {
  static const std::regex kPath(
      R"(`((?:deploy|keystate|pkcs11|proto|service|tests)/[A-Za-z0-9_./-]+)`)");
  std::vector<std::string> paths;
  for (std::sregex_iterator it(text.begin(), text.end(), kPath), end; it != end; ++it) {
    paths.push_back((*it)[1]);
  }
  return paths;
}

TEST(DocumentsTest, NoRelativeLinkIsDead) {
  ASSERT_FALSE(Documents().empty());
  for (const fs::path& document : Documents()) {
    for (const std::string& link : LinksOf(Read(document))) {
      const fs::path base = link.front() == '/' ? kRoot : document.parent_path();
      EXPECT_TRUE(fs::exists(base / fs::path(link).relative_path()))
          << document << " links to " << link << ", which does not exist";
    }
  }
}

TEST(DocumentsTest, NoPathInQuotesIsDead) {
  for (const fs::path& document : Documents()) {
    for (const std::string& path : PathsOf(Read(document))) {
      EXPECT_TRUE(fs::exists(kRoot / path) || fs::exists(document.parent_path() / path) ||
                  fs::exists(kRoot / (path + ".cc")))
          << document << " names " << path << ", which does not exist";
    }
  }
}

TEST(DocumentsTest, LinksAndPathsAreFound) {
  EXPECT_EQ(LinksOf("[a](b.md#c) [d](https://e.f) \n```\n[g](h)\n```\n[i](../j)\n"),
            (std::vector<std::string>{"b.md", "../j"}));
  EXPECT_EQ(PathsOf("see `service/app` and `kms:Sign` and `tests/run`"),
            (std::vector<std::string>{"service/app", "tests/run"}));
}

}  // namespace
}  // namespace hallmark
