#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

namespace hallmark::testing {

void ExpectGolden(const std::filesystem::path& file, const std::string& text) {
  const char* update = std::getenv("HALLMARK_UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") {
    std::ofstream(file, std::ios::binary) << text;
  }
  std::ostringstream committed;
  committed << std::ifstream(file, std::ios::binary).rdbuf();
  EXPECT_EQ(committed.str(), text)
      << file << " is stale: run this test with HALLMARK_UPDATE_GOLDEN=1 and commit the file";
}

}  // namespace hallmark::testing
