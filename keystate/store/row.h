// One row of a result, read column by column.
#pragma once

#include "keystate/ids.h"
#include "keystate/records.h"
#include "keystate/result.h"
#include "keystate/store/pairs.h"
#include "keystate/store/sqlite_handle.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::store {

// How a value of an enumeration is spelled in the database. A spelling is never changed.
template <class E>
struct Spelling {
  E value;
  std::string_view text;
};

// Reads in the order of the columns. The first column that is not what it must be is remembered in
// status(); values read from then on are placeholders and must not be used.
class Row {
 public:
  // The first `key_columns` of `columns` name the row in errors. All are borrowed.
  Row(sqlite3_stmt* statement, std::string_view table, std::span<const std::string_view> columns,
      std::size_t key_columns)
      : statement_(statement), table_(table), columns_(columns), key_columns_(key_columns) {}

  std::string Text();
  bool Flag();
  std::uint32_t Number();
  WallTime Time();
  std::optional<WallTime> OptionalTime();
  // The last column, which is not among `columns`.
  Revision ReadRevision(Revision lowest);

  template <std::size_t N>
  std::array<std::byte, N> Blob() {
    std::array<std::byte, N> bytes{};
    CopyBlob(bytes);
    return bytes;
  }

  template <std::size_t N>
  std::optional<std::array<std::byte, N>> OptionalBlob() {
    if (SkipNull()) return std::nullopt;
    return Blob<N>();
  }

  template <class E, std::size_t N>
  E Enum(const std::array<Spelling<E>, N>& spellings) {
    const std::string text = Text();
    const auto* found = std::find_if(spellings.begin(), spellings.end(),
                                     [&](const Spelling<E>& row) { return row.text == text; });
    if (found != spellings.end()) return found->value;
    Complain("unknown value '" + text + "'");
    return spellings.front().value;
  }

  // A list of structs of two texts, as EncodePairs wrote it.
  template <class Pair>
  std::vector<Pair> Pairs() {
    return Parsed([](std::string_view text) { return DecodePairs<Pair>(text); },
                  "not a list of pairs");
  }

  // A text that `parse` understands: it returns an optional, whose empty value is the complaint.
  template <class Parse>
  auto Parsed(const Parse& parse, const char* complaint) {
    auto value = parse(Text());
    if (!value) {
      Complain(complaint);
      value.emplace();
    }
    return *std::move(value);
  }

  // Identifiers have no placeholder, so these fail at once.
  Result<KeyId> ReadKeyId();
  Result<GrantId> ReadGrantId();
  Result<AccountId> ReadAccount();
  Result<PrincipalArn> ReadPrincipalArn(const Site& site);

  Status status() const;

 private:
  bool TypeIs(int type, const char* expected);
  bool SkipNull();
  std::int64_t Integer();
  void CopyBlob(std::span<std::byte> out);
  // About the column that was read last.
  void Complain(const std::string& reason);
  std::string KeyText() const;

  sqlite3_stmt* statement_;
  std::string_view table_;
  std::span<const std::string_view> columns_;
  std::size_t key_columns_;
  int next_ = 0;
  std::optional<std::string> complaint_;
};

}  // namespace hallmark::store
