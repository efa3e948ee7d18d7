// How each record type becomes a row, and back.
#pragma once

#include "keystate/key_store.h"
#include "keystate/store/row.h"
#include "keystate/store/sqlite_handle.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace hallmark::store {

// For every record type: the table's name; its columns in order, those of the primary key first and
// without `revision`; where Load puts the rows. BindKey and BindRest bind in the order of the
// columns, Read reads in it.
template <class T>
struct Table;

#define HALLMARK_STORE_TABLE(RecordType, table_name, image_member, key_count, ...)            \
  template <>                                                                                 \
  struct Table<RecordType> {                                                                  \
    static constexpr std::string_view kName = table_name;                                     \
    static constexpr std::size_t kKeyColumns = key_count;                                     \
    static constexpr auto kColumns = std::to_array<std::string_view>({__VA_ARGS__});          \
    static constexpr std::vector<RecordType> StoreImage::*kImage = &StoreImage::image_member; \
    static void BindKey(Statement& statement, const RecordType& record);                      \
    static void BindRest(Statement& statement, const RecordType& record);                     \
    static Result<RecordType> Read(Row& row, const Site& site);                               \
  }

HALLMARK_STORE_TABLE(KeyRecord, "key", keys, 1, "key_id", "account", "spec", "usage", "origin",
                     "state", "description", "created", "deletion_date", "policy_hash",
                     "current_material");
HALLMARK_STORE_TABLE(MaterialRecord, "material", materials, 2, "key_id", "number", "check_value",
                     "origin", "valid_to");
HALLMARK_STORE_TABLE(BindingRecord, "binding", bindings, 3, "key_id", "material_number", "token_id",
                     "cka_id", "owned", "local", "state", "creator_instance", "verified_at");
HALLMARK_STORE_TABLE(AliasRecord, "alias", aliases, 2, "account", "name", "target", "created",
                     "updated");
HALLMARK_STORE_TABLE(TagRecord, "tag", tags, 2, "key_id", "tag_key", "tag_value", "position");
HALLMARK_STORE_TABLE(LastUsageRecord, "last_usage", last_usages, 1, "key_id", "operation", "time",
                     "request_id");
HALLMARK_STORE_TABLE(SweeperRecord, "sweeper", sweeper, 1, "only_row", "time_seen", "halted");
HALLMARK_STORE_TABLE(GrantRecord, "grant", grants, 2, "key_id", "grant_id", "grantee_id", "grantee",
                     "retiring_id", "retiring", "issuing_account", "name", "operations",
                     "source_arn", "created");
HALLMARK_STORE_TABLE(PolicyRecord, "policy", policies, 1, "hash", "document", "bindings");
HALLMARK_STORE_TABLE(PrincipalRecord, "principal", principals, 1, "unique_id", "arn", "policy_hash",
                     "created", "boundary_hash", "role_id", "tags", "spiffe_id");
HALLMARK_STORE_TABLE(CertificateRecord, "certificate", certificates, 1, "fingerprint",
                     "principal_id", "added");
HALLMARK_STORE_TABLE(AccessKeyRecord, "access_key", access_keys, 1, "access_key_id",
                     "principal_id");
HALLMARK_STORE_TABLE(SignatureMarkRecord, "signature_mark", signature_marks, 1, "access_key_id",
                     "until");
HALLMARK_STORE_TABLE(TokenRecord, "token", tokens, 1, "token_id", "label", "serial", "manufacturer",
                     "anchor_cka_id", "anchor_check_value", "drained");
HALLMARK_STORE_TABLE(ClientTokenRecord, "client_token", client_tokens, 2, "principal_id",
                     "client_token", "request_hash", "key_id");

#undef HALLMARK_STORE_TABLE

}  // namespace hallmark::store
