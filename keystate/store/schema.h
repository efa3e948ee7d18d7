// The tables, as an ordered list of steps.
#pragma once

#include "keystate/result.h"
#include "keystate/store/sqlite_handle.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace hallmark::store {

// Step n brings schema n-1 to schema n. A released step is never edited; a change is a new one.
std::span<const std::string_view> Migrations();

// The schema of the database: how many steps it has had.
Result<std::int64_t> SchemaVersion(Database& db);

// Refuses a database that has had more steps than we know, naming both versions. Writes nothing.
//
// Errors: UnsupportedOperationException; KMSInternalException when it is not a store at all.
Status CheckSchema(Database& db, std::size_t known_steps, std::string_view name);

// Applies the steps that are missing, each in a transaction of its own, so that a crash between two
// leaves a store of a schema that some release has had.
Status Migrate(Database& db, std::span<const std::string_view> steps);

}  // namespace hallmark::store
