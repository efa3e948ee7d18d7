// All that callers and administrators can see of a daemon.
#pragma once

#include <map>
#include <string>

namespace hallmark::testing {

struct KeyFacts {
  std::string state;        // "Enabled"
  std::string description;  // as DescribeKey tells it
  std::string use;          // how GenerateMac ends: "OK", or the exception
  bool ends = false;        // has a deletion date
  std::map<std::string, std::string> tags{};
  std::map<std::string, std::string> grants{};  // name → grantee
  std::string policy_name{};  // the Sid of the policy's last statement; empty: it has none

  bool operator==(const KeyFacts& other) const {
    return state == other.state && description == other.description && use == other.use &&
           ends == other.ends && tags == other.tags && grants == other.grants &&
           policy_name == other.policy_name;
  }
};

struct World {
  std::map<std::string, KeyFacts> keys;           // by id
  std::map<std::string, std::string> aliases;     // name → key id
  std::map<std::string, std::string> principals;  // ARN → fingerprint of its certificate

  bool operator==(const World& other) const {
    return keys == other.keys && aliases == other.aliases && principals == other.principals;
  }
};

// The keys and aliases of `whole` that `names` has as well.
World PartOf(const World& whole, const World& names);

// One line for each thing that is not in both, "- " for `expected` and "+ " for `seen`.
std::string Difference(const World& expected, const World& seen);

}  // namespace hallmark::testing
