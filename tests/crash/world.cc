#include "tests/crash/world.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

namespace hallmark::testing {
namespace {

std::set<std::string> Lines(const World& world) {
  std::set<std::string> lines;
  for (const auto& [id, key] : world.keys) {
    lines.insert("key " + id + " " + key.state + (key.ends ? " until its end" : "") + ", \"" +
                 key.description + "\", use: " + key.use);
  }
  for (const auto& [name, key] : world.aliases) lines.insert(name + " → " + key);
  for (const auto& [arn, fingerprint] : world.principals) {
    lines.insert("principal " + arn + " " + fingerprint);
  }
  return lines;
}

std::string Missing(const std::set<std::string>& from, const std::set<std::string>& in,
                    const char* sign) {
  std::vector<std::string> missing;
  std::set_difference(from.begin(), from.end(), in.begin(), in.end(), std::back_inserter(missing));
  std::string text;
  for (const std::string& line : missing) text += sign + line + "\n";
  return text;
}

}  // namespace

bool Contains(const World& whole, const World& part) {
  return Missing(Lines(part), Lines(whole), "").empty();
}

std::string Difference(const World& expected, const World& seen) {
  const std::set<std::string> wanted = Lines(expected);
  const std::set<std::string> found = Lines(seen);
  return Missing(wanted, found, "- ") + Missing(found, wanted, "+ ");
}

}  // namespace hallmark::testing
