#include "keystate/store/record_tables.h"

#include "keystate/store/pairs.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

namespace hallmark::store {
namespace {

constexpr std::array<Spelling<KeySpec>, 4> kKeySpecs{{
    {KeySpec::kHmac224, "HMAC_224"},
    {KeySpec::kHmac256, "HMAC_256"},
    {KeySpec::kHmac384, "HMAC_384"},
    {KeySpec::kHmac512, "HMAC_512"},
}};
constexpr std::array<Spelling<KeyUsage>, 1> kKeyUsages{{
    {KeyUsage::kGenerateVerifyMac, "GENERATE_VERIFY_MAC"},
}};
constexpr std::array<Spelling<KeyState>, 4> kKeyStates{{
    {KeyState::kEnabled, "Enabled"},
    {KeyState::kDisabled, "Disabled"},
    {KeyState::kPendingDeletion, "PendingDeletion"},
    {KeyState::kPendingImport, "PendingImport"},
}};
constexpr std::array<Spelling<Origin>, 2> kOrigins{{
    {Origin::kAwsKms, "AWS_KMS"},
    {Origin::kExternal, "EXTERNAL"},
}};
constexpr std::array<Spelling<BindingState>, 3> kBindingStates{{
    {BindingState::kCreating, "creating"},
    {BindingState::kReady, "ready"},
    {BindingState::kDestroying, "destroying"},
}};
// Operations by their names; only those that use a key are ever stored.
constexpr std::array kOperations = {
#define HALLMARK_OPERATION(name) Spelling<Operation>{Operation::k##name, #name},
#include "keystate/operations.def"
#undef HALLMARK_OPERATION
};

// INVARIANT: every enumerator has a row; the round-trip tests go over all of them.
template <class E, std::size_t N>
std::string_view Spell(const std::array<Spelling<E>, N>& spellings, E value) {
  for (const Spelling<E>& row : spellings) {
    if (row.value == value) return row.text;
  }
  std::abort();
}

// "GenerateMac,VerifyMac", in the order of the request.
std::string SpellGrantOperations(const GrantOperations& operations) {
  std::string text;
  for (const Operation operation : operations) {
    if (!text.empty()) text += ',';
    text += Spell(kOperations, operation);
  }
  return text;
}

std::optional<GrantOperations> ReadGrantOperations(std::string_view text) {
  GrantOperations operations;
  while (true) {
    const std::string_view name = text.substr(0, text.find(','));
    const auto* found =
        std::find_if(kOperations.begin(), kOperations.end(),
                     [&](const Spelling<Operation>& row) { return row.text == name; });
    if (found == kOperations.end() || !operations.Add(found->value)) return std::nullopt;
    if (name.size() == text.size()) return operations;
    text.remove_prefix(name.size() + 1);
  }
}

}  // namespace

void Table<KeyRecord>::BindKey(Statement& statement, const KeyRecord& record) {
  statement.Bind(record.id.ToString());
}

void Table<KeyRecord>::BindRest(Statement& statement, const KeyRecord& record) {
  statement.Bind(record.account.text());
  statement.Bind(Spell(kKeySpecs, record.spec));
  statement.Bind(Spell(kKeyUsages, record.usage));
  statement.Bind(Spell(kOrigins, record.origin));
  statement.Bind(Spell(kKeyStates, record.state));
  statement.Bind(record.description);
  statement.Bind(record.created);
  statement.Bind(record.deletion_date);
  statement.Bind(record.policy_hash);
  statement.Bind(std::int64_t{record.current_material});
}

Result<KeyRecord> Table<KeyRecord>::Read(Row& row, const Site&) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyId id, row.ReadKeyId());
  HALLMARK_ASSIGN_OR_RETURN(const AccountId account, row.ReadAccount());
  KeyRecord record{.id = id, .account = account, .spec = row.Enum(kKeySpecs)};
  record.usage = row.Enum(kKeyUsages);
  record.origin = row.Enum(kOrigins);
  record.state = row.Enum(kKeyStates);
  record.description = row.Text();
  record.created = row.Time();
  record.deletion_date = row.OptionalTime();
  record.policy_hash = row.Text();
  record.current_material = row.Number();
  return record;
}

void Table<MaterialRecord>::BindKey(Statement& statement, const MaterialRecord& record) {
  statement.Bind(record.key_id.ToString());
  statement.Bind(std::int64_t{record.number});
}

void Table<MaterialRecord>::BindRest(Statement& statement, const MaterialRecord& record) {
  statement.Bind(record.check_value);
  statement.Bind(Spell(kOrigins, record.origin));
  statement.Bind(record.valid_to);
}

Result<MaterialRecord> Table<MaterialRecord>::Read(Row& row, const Site&) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyId key_id, row.ReadKeyId());
  MaterialRecord record{.key_id = key_id};
  record.number = row.Number();
  record.check_value = row.OptionalBlob<std::tuple_size_v<KeyCheckValue>>();
  record.origin = row.Enum(kOrigins);
  record.valid_to = row.OptionalTime();
  return record;
}

void Table<BindingRecord>::BindKey(Statement& statement, const BindingRecord& record) {
  statement.Bind(record.key_id.ToString());
  statement.Bind(std::int64_t{record.material_number});
  statement.Bind(record.token_id);
}

void Table<BindingRecord>::BindRest(Statement& statement, const BindingRecord& record) {
  statement.Bind(ByteView(record.cka_id));
  statement.Bind(std::int64_t{record.owned ? 1 : 0});
  statement.Bind(std::int64_t{record.local ? 1 : 0});
  statement.Bind(Spell(kBindingStates, record.state));
  statement.Bind(record.creator_instance);
  statement.Bind(record.verified_at);
}

Result<BindingRecord> Table<BindingRecord>::Read(Row& row, const Site&) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyId key_id, row.ReadKeyId());
  const std::uint32_t material_number = row.Number();
  BindingRecord record{
      .key_id = key_id, .material_number = material_number, .token_id = row.Text()};
  record.cka_id = row.Blob<std::tuple_size_v<CkaId>>();
  record.owned = row.Flag();
  record.local = row.Flag();
  record.state = row.Enum(kBindingStates);
  record.creator_instance = row.Text();
  record.verified_at = row.Time();
  return record;
}

void Table<AliasRecord>::BindKey(Statement& statement, const AliasRecord& record) {
  statement.Bind(record.account.text());
  statement.Bind(record.name);
}

void Table<AliasRecord>::BindRest(Statement& statement, const AliasRecord& record) {
  statement.Bind(record.target.ToString());
  statement.Bind(record.created);
  statement.Bind(record.updated);
}

Result<AliasRecord> Table<AliasRecord>::Read(Row& row, const Site&) {
  HALLMARK_ASSIGN_OR_RETURN(const AccountId account, row.ReadAccount());
  std::string name = row.Text();
  HALLMARK_ASSIGN_OR_RETURN(const KeyId target, row.ReadKeyId());
  AliasRecord record{.account = account, .name = std::move(name), .target = target};
  record.created = row.Time();
  record.updated = row.Time();
  return record;
}

void Table<TagRecord>::BindKey(Statement& statement, const TagRecord& record) {
  statement.Bind(record.key_id.ToString());
  statement.Bind(record.tag_key);
}

void Table<TagRecord>::BindRest(Statement& statement, const TagRecord& record) {
  statement.Bind(record.tag_value);
  statement.Bind(std::int64_t{record.position});
}

Result<TagRecord> Table<TagRecord>::Read(Row& row, const Site&) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyId key_id, row.ReadKeyId());
  TagRecord record{.key_id = key_id, .tag_key = row.Text(), .tag_value = {}};
  record.tag_value = row.Text();
  record.position = row.Number();
  return record;
}

void Table<LastUsageRecord>::BindKey(Statement& statement, const LastUsageRecord& record) {
  statement.Bind(record.key_id.ToString());
}

void Table<LastUsageRecord>::BindRest(Statement& statement, const LastUsageRecord& record) {
  statement.Bind(Spell(kOperations, record.operation));
  statement.Bind(record.time);
  statement.Bind(record.request_id);
}

Result<LastUsageRecord> Table<LastUsageRecord>::Read(Row& row, const Site&) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyId key_id, row.ReadKeyId());
  LastUsageRecord record{.key_id = key_id, .operation = row.Enum(kOperations)};
  record.time = row.Time();
  record.request_id = row.Text();
  return record;
}

void Table<SweeperRecord>::BindKey(Statement& statement, const SweeperRecord&) {
  statement.Bind(std::int64_t{1});
}

void Table<SweeperRecord>::BindRest(Statement& statement, const SweeperRecord& record) {
  statement.Bind(record.time_seen);
  statement.Bind(std::int64_t{record.halted ? 1 : 0});
}

Result<SweeperRecord> Table<SweeperRecord>::Read(Row& row, const Site&) {
  static_cast<void>(row.Number());  // the row's own name
  SweeperRecord record;
  record.time_seen = row.Time();
  record.halted = row.Flag();
  return record;
}

void Table<GrantRecord>::BindKey(Statement& statement, const GrantRecord& record) {
  statement.Bind(record.key_id.ToString());
  statement.Bind(record.id.ToString());
}

void Table<GrantRecord>::BindRest(Statement& statement, const GrantRecord& record) {
  statement.Bind(record.grantee_id);
  statement.Bind(record.grantee);
  statement.Bind(record.retiring_id);
  statement.Bind(record.retiring);
  statement.Bind(record.issuing_account.text());
  statement.Bind(record.name);
  statement.Bind(SpellGrantOperations(record.operations));
  statement.Bind(record.source_arn);
  statement.Bind(record.created);
}

Result<GrantRecord> Table<GrantRecord>::Read(Row& row, const Site&) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyId key_id, row.ReadKeyId());
  HALLMARK_ASSIGN_OR_RETURN(const GrantId id, row.ReadGrantId());
  std::string grantee_id = row.Text();
  std::string grantee = row.Text();
  std::string retiring_id = row.Text();
  std::string retiring = row.Text();
  HALLMARK_ASSIGN_OR_RETURN(const AccountId issuing_account, row.ReadAccount());
  GrantRecord record{.id = id,
                     .key_id = key_id,
                     .grantee_id = std::move(grantee_id),
                     .grantee = std::move(grantee),
                     .retiring_id = std::move(retiring_id),
                     .retiring = std::move(retiring),
                     .issuing_account = issuing_account};
  record.name = row.Text();
  record.operations = row.Parsed(ReadGrantOperations, "not operations of a grant");
  record.source_arn = row.Text();
  record.created = row.Time();
  return record;
}

void Table<PolicyRecord>::BindKey(Statement& statement, const PolicyRecord& record) {
  statement.Bind(record.hash);
}

void Table<PolicyRecord>::BindRest(Statement& statement, const PolicyRecord& record) {
  statement.Bind(record.document);
  statement.Bind(
      EncodePairs(record.bindings, &PrincipalBinding::arn, &PrincipalBinding::unique_id));
}

Result<PolicyRecord> Table<PolicyRecord>::Read(Row& row, const Site&) {
  PolicyRecord record;
  record.hash = row.Text();
  record.document = row.Text();
  record.bindings = row.Pairs<PrincipalBinding>();
  return record;
}

void Table<PrincipalRecord>::BindKey(Statement& statement, const PrincipalRecord& record) {
  statement.Bind(record.unique_id);
}

void Table<PrincipalRecord>::BindRest(Statement& statement, const PrincipalRecord& record) {
  statement.Bind(record.arn.text());
  statement.Bind(record.policy_hash);
  statement.Bind(record.created);
  statement.Bind(record.boundary_hash);
  statement.Bind(record.role_id);
  statement.Bind(EncodePairs(record.tags, &PrincipalTag::key, &PrincipalTag::value));
  statement.Bind(record.spiffe_id);
}

Result<PrincipalRecord> Table<PrincipalRecord>::Read(Row& row, const Site& site) {
  std::string unique_id = row.Text();
  HALLMARK_ASSIGN_OR_RETURN(PrincipalArn arn, row.ReadPrincipalArn(site));
  PrincipalRecord record{.unique_id = std::move(unique_id), .arn = std::move(arn)};
  record.policy_hash = row.Text();
  record.created = row.Time();
  record.boundary_hash = row.Text();
  record.role_id = row.Text();
  record.tags = row.Pairs<PrincipalTag>();
  record.spiffe_id = row.Text();
  return record;
}

void Table<CertificateRecord>::BindKey(Statement& statement, const CertificateRecord& record) {
  statement.Bind(ByteView(record.fingerprint));
}

void Table<CertificateRecord>::BindRest(Statement& statement, const CertificateRecord& record) {
  statement.Bind(record.principal_id);
  statement.Bind(record.added);
}

Result<CertificateRecord> Table<CertificateRecord>::Read(Row& row, const Site&) {
  CertificateRecord record;
  record.fingerprint = row.Blob<std::tuple_size_v<CertificateFingerprint>>();
  record.principal_id = row.Text();
  record.added = row.Time();
  return record;
}

void Table<AccessKeyRecord>::BindKey(Statement& statement, const AccessKeyRecord& record) {
  statement.Bind(record.access_key_id);
}

void Table<AccessKeyRecord>::BindRest(Statement& statement, const AccessKeyRecord& record) {
  statement.Bind(record.principal_id);
}

Result<AccessKeyRecord> Table<AccessKeyRecord>::Read(Row& row, const Site&) {
  AccessKeyRecord record;
  record.access_key_id = row.Text();
  record.principal_id = row.Text();
  return record;
}

void Table<SignatureMarkRecord>::BindKey(Statement& statement, const SignatureMarkRecord& record) {
  statement.Bind(record.access_key_id);
}

void Table<SignatureMarkRecord>::BindRest(Statement& statement, const SignatureMarkRecord& record) {
  statement.Bind(record.until);
}

Result<SignatureMarkRecord> Table<SignatureMarkRecord>::Read(Row& row, const Site&) {
  SignatureMarkRecord record;
  record.access_key_id = row.Text();
  record.until = row.Time();
  return record;
}

void Table<TokenRecord>::BindKey(Statement& statement, const TokenRecord& record) {
  statement.Bind(record.token_id);
}

void Table<TokenRecord>::BindRest(Statement& statement, const TokenRecord& record) {
  statement.Bind(record.label);
  statement.Bind(record.serial);
  statement.Bind(record.manufacturer);
  statement.Bind(ByteView(record.anchor_cka_id));
  statement.Bind(ByteView(record.anchor_check_value));
  statement.Bind(std::int64_t{record.drained ? 1 : 0});
}

Result<TokenRecord> Table<TokenRecord>::Read(Row& row, const Site&) {
  TokenRecord record;
  record.token_id = row.Text();
  record.label = row.Text();
  record.serial = row.Text();
  record.manufacturer = row.Text();
  record.anchor_cka_id = row.Blob<std::tuple_size_v<CkaId>>();
  record.anchor_check_value = row.Blob<std::tuple_size_v<KeyCheckValue>>();
  record.drained = row.Flag();
  return record;
}

void Table<ClientTokenRecord>::BindKey(Statement& statement, const ClientTokenRecord& record) {
  statement.Bind(record.principal_id);
  statement.Bind(record.client_token);
}

void Table<ClientTokenRecord>::BindRest(Statement& statement, const ClientTokenRecord& record) {
  statement.Bind(record.request_hash);
  statement.Bind(record.key_id.ToString());
}

Result<ClientTokenRecord> Table<ClientTokenRecord>::Read(Row& row, const Site&) {
  std::string principal_id = row.Text();
  std::string client_token = row.Text();
  std::string request_hash = row.Text();
  HALLMARK_ASSIGN_OR_RETURN(const KeyId key_id, row.ReadKeyId());
  return ClientTokenRecord{.principal_id = std::move(principal_id),
                           .client_token = std::move(client_token),
                           .request_hash = std::move(request_hash),
                           .key_id = key_id};
}

}  // namespace hallmark::store
