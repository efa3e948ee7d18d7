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
    for (const auto& [name, value] : key.tags)
      lines.insert("tag " + name + " = " + value + " on " + id);
    for (const auto& [name, grantee] : key.grants)
      lines.insert("grant " + name + " to " + grantee + " on " + id);
    lines.insert("key " + id + " " + key.state + (key.ends ? " until its end" : "") + ", \"" +
                 key.description + "\", use: " + key.use + ", policy: " + key.policy_name);
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

World PartOf(const World& whole, const World& names) {
  World part = whole;
  std::erase_if(part.keys, [&](const auto& key) { return !names.keys.contains(key.first); });
  std::erase_if(part.aliases,
                [&](const auto& alias) { return !names.aliases.contains(alias.first); });
  return part;
}

std::string Difference(const World& expected, const World& seen) {
  const std::set<std::string> wanted = Lines(expected);
  const std::set<std::string> found = Lines(seen);
  return Missing(wanted, found, "- ") + Missing(found, wanted, "+ ");
}

}  // namespace hallmark::testing
