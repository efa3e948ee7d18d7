#include "keystate/store/row.h"

#include <cstring>

namespace hallmark::store {
namespace {

std::string_view ColumnText(sqlite3_stmt* statement, int column) {
  const auto* data = sqlite3_column_blob(statement, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return size == 0 ? std::string_view() : std::string_view(static_cast<const char*>(data), size);
}

}  // namespace

std::string Row::Text() {
  if (!TypeIs(SQLITE_TEXT, "text")) return {};
  return std::string(ColumnText(statement_, next_ - 1));
}

bool Row::Flag() {
  const std::int64_t value = Integer();
  if (value != 0 && value != 1) Complain("must be 0 or 1");
  return value == 1;
}

std::uint32_t Row::Number() {
  const std::int64_t value = Integer();
  if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) {
    Complain("out of range");
    return 0;
  }
  return static_cast<std::uint32_t>(value);
}

WallTime Row::Time() { return WallTime(std::chrono::milliseconds(Integer())); }

std::optional<WallTime> Row::OptionalTime() {
  if (SkipNull()) return std::nullopt;
  return Time();
}

Revision Row::ReadRevision(Revision lowest) {
  const std::int64_t value = Integer();
  if (value < static_cast<std::int64_t>(lowest)) Complain("out of range");
  return static_cast<Revision>(value);
}

Result<KeyId> Row::ReadKeyId() {
  if (const std::optional<KeyId> id = KeyId::Parse(Text())) return *id;
  Complain("not a key id");
  return Unexpected(status().error());
}

Result<GrantId> Row::ReadGrantId() {
  if (const std::optional<GrantId> id = GrantId::Parse(Text())) return *id;
  Complain("not a grant id");
  return Unexpected(status().error());
}

Result<AccountId> Row::ReadAccount() {
  if (const std::optional<AccountId> account = AccountId::Parse(Text())) return *account;
  Complain("not an account id");
  return Unexpected(status().error());
}

Result<PrincipalArn> Row::ReadPrincipalArn(const Site& site) {
  Result<PrincipalArn> arn = PrincipalArn::Parse(Text(), site);
  if (arn) return arn;
  Complain(arn.error().message);
  return Unexpected(status().error());
}

Status Row::status() const {
  if (!complaint_) return {};
  return Fail(Exception::kKMSInternalException,
              "The key store is damaged; nothing was written. Restore it from a backup.",
              *complaint_);
}

bool Row::TypeIs(int type, const char* expected) {
  const int column = next_++;
  if (sqlite3_column_type(statement_, column) == type) return true;
  Complain(std::string("must be ") + expected);
  return false;
}

bool Row::SkipNull() {
  if (sqlite3_column_type(statement_, next_) != SQLITE_NULL) return false;
  ++next_;
  return true;
}

std::int64_t Row::Integer() {
  if (!TypeIs(SQLITE_INTEGER, "an integer")) return 0;
  return sqlite3_column_int64(statement_, next_ - 1);
}

void Row::CopyBlob(std::span<std::byte> out) {
  if (!TypeIs(SQLITE_BLOB, "a blob")) return;
  const std::string_view bytes = ColumnText(statement_, next_ - 1);
  if (bytes.size() != out.size()) {
    Complain("must have " + std::to_string(out.size()) + " bytes, has " +
             std::to_string(bytes.size()));
    return;
  }
  std::memcpy(out.data(), bytes.data(), bytes.size());
}

void Row::Complain(const std::string& reason) {
  if (complaint_) return;
  const auto column = static_cast<std::size_t>(next_ - 1);
  complaint_ = "table " + std::string(table_) + ", row " + KeyText() + ", column " +
               std::string(column < columns_.size() ? columns_[column] : "revision") + ": " +
               reason;
}

std::string Row::KeyText() const {
  std::string text;
  for (int column = 0; column < static_cast<int>(key_columns_); ++column) {
    if (column > 0) text += "/";
    // Asked first: reading a column as text may convert it.
    const bool is_blob = sqlite3_column_type(statement_, column) == SQLITE_BLOB;
    const std::string_view value = ColumnText(statement_, column);
    text += is_blob ? ToHex(AsBytes(value)) : std::string(value);
  }
  return text;
}

}  // namespace hallmark::store
