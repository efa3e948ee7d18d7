// Every key of the configuration, as rows: where it stands, what it sets, whether a reload takes it
// over, how it is read.
#pragma once

#include "service/config/config.h"
#include "service/config/config_field.h"

#include <span>
#include <string>
#include <string_view>

namespace hallmark::service {

inline constexpr std::string_view kTokenSection = "token";

// What a key sets.
template <class Target>
struct Value {
  bool (*same)(const Target& a, const Target& b);
  void (*copy)(const Target& from, Target& to);
};

// One key of a section; the section "" is the top of the file.
template <class Target>
struct KeyRow {
  std::string_view section;
  std::string_view key;
  Effect effect;
  Value<Target> value;
  void (*read)(Field field, Target& target);
};

// Sections stand together.
std::span<const KeyRow<Config>> KeysOfFile();
// Of a section [token.<id>].
std::span<const KeyRow<pkcs11::TokenOptions>> KeysOfToken();

// "aws.listen".
std::string Qualified(std::string_view section, std::string_view key);

}  // namespace hallmark::service
