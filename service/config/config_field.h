// One value of the configuration file on its way into a typed option.
#pragma once

#include "service/config/config.h"

#include <toml++/toml.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::service {

// Collects mistakes as "file:line: key: reason and remedy".
class Mistakes {
 public:
  explicit Mistakes(std::string file) : file_(std::move(file)) {}

  // `line` 0: the file as a whole.
  void Add(std::int64_t line, std::string_view key, std::string_view reason);
  std::vector<ConfigError> Take() { return std::move(errors_); }
  bool empty() const { return errors_.empty(); }

 private:
  std::string file_;
  std::vector<ConfigError> errors_;
};

// Each reader either sets its target or reports a mistake.
class Field {
 public:
  Field(const toml::node& node, std::string name, Mistakes& mistakes)
      : node_(node), name_(std::move(name)), mistakes_(mistakes) {}

  // Any text but the empty one; where empty has a meaning, OptionalText.
  void Text(std::string& target);
  void OptionalText(std::string& target);
  // A part of ARNs: lower-case letters, digits and "-".
  void ArnPart(std::string& target);
  void Path(std::filesystem::path& target);
  void OptionalPath(std::filesystem::path& target);
  void Flag(bool& target);
  void Count(std::size_t& target, std::int64_t lowest, std::int64_t highest);
  void Milliseconds(std::chrono::milliseconds& target, std::int64_t lowest, std::int64_t highest);
  // "127.0.0.1:9443" or "[::1]:9443"; port 0 lets the system choose.
  void Address(std::string& target);
  // The same; empty: none.
  void OptionalAddress(std::string& target);
  // The same, of this machine only; empty: none.
  void OptionalLoopbackAddress(std::string& target);
  // The index of the value in `choices`.
  void Choice(std::span<const std::string_view> choices, std::size_t& target);
  // A token URI without the PIN in it.
  void TokenUri(std::string& target);

  void Mistake(std::string_view reason);

 private:
  // Null, and reported, when the value is of another type.
  const std::string* AsText();
  bool Integer(std::int64_t lowest, std::int64_t highest, std::int64_t& target);

  const toml::node& node_;
  std::string name_;
  Mistakes& mistakes_;
};

// The known name nearest to `name`, as "; did you mean …?", or nothing if none is near.
std::string DidYouMean(std::string_view name, std::span<const std::string_view> known);

}  // namespace hallmark::service
