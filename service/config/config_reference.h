// What every key of the configuration means: hallmarkd(8) and the example file are made of it.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hallmark::service {

struct KeyHelp {
  std::string_view name;
  std::string_view value;  // as TOML: the default, or an example of a key that has none
  bool has_default;
  std::string_view help;  // with the unit and the meaning of zero or empty
};

struct SectionHelp {
  std::string_view name;  // "" for the top of the file
  std::string_view help;
  std::span<const KeyHelp> keys;
};

// In the order of the example file.
std::span<const SectionHelp> ConfigReference();

// The keys that SIGHUP takes over, as a list of words.
std::string LiveKeys();

// deploy/hallmark.example.toml: every key with its help; what is commented out is the default.
std::string ExampleConfig();

}  // namespace hallmark::service
