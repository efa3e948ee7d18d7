#include "tests/keystate/store/key_store_conformance.h"

#include "tests/keystate/store/test_records.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <thread>
#include <vector>

namespace hallmark::store {
namespace {

constexpr WallTime kFirstTime{std::chrono::milliseconds::min()};
constexpr WallTime kLastTime{std::chrono::milliseconds::max()};

// A text that is awkward in every way: NUL, quotes, four-byte UTF-8, something like SQL.
std::string AwkwardText() { return std::string("\0'; DROP TABLE key; --\"\xf0\x9f\x94\x91\n", 28); }

template <class T>
void ExpectConflict(const Result<T>& result) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().exception, Exception::kConflictException) << ToString(result.error());
}

StoreImage LoadOrFail(KeyStore& store) {
  Result<StoreImage> image = store.Load();
  if (!image) {
    ADD_FAILURE() << ToString(image.error());
    return {};
  }
  return *std::move(image);
}

TEST_P(KeyStoreConformance, NewStoreIsEmptyAndKnowsItsSite) {
  const StoreImage image = LoadOrFail(store());
  EXPECT_EQ(image.meta.site, kTestSite);
  EXPECT_EQ(image.meta.revision, 0u);
  EXPECT_EQ(image.meta.store_id.size(), 32u);
  EXPECT_TRUE(image.keys.empty());
  EXPECT_TRUE(image.principals.empty());
}

TEST_P(KeyStoreConformance, KeysOfEverySpecOriginAndStateComeBack) {
  std::vector<StoreWrite> writes;
  std::vector<KeyRecord> wanted;
  for (const KeySpecRow& spec : kKeySpecs) {
    for (const Origin origin : {Origin::kAwsKms, Origin::kExternal}) {
      for (const KeyState state : {KeyState::kEnabled, KeyState::kDisabled,
                                   KeyState::kPendingDeletion, KeyState::kPendingImport}) {
        KeyRecord key = TestKey(static_cast<std::uint32_t>(wanted.size()), AwkwardText());
        key.spec = spec.spec;
        key.origin = origin;
        key.state = state;
        key.created = kFirstTime;
        if (state == KeyState::kPendingDeletion) key.deletion_date = kLastTime;
        key.policy_hash = std::string(64, 'f');
        key.current_material = std::numeric_limits<std::uint32_t>::max();
        writes.push_back(Put(key));
        wanted.push_back(key);
      }
    }
  }
  const Result<Revision> revision = store().Commit(writes);
  ASSERT_TRUE(revision.has_value()) << ToString(revision.error());
  Reopen();
  const StoreImage image = LoadOrFail(store());
  ASSERT_EQ(image.keys.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto got = std::find_if(image.keys.begin(), image.keys.end(),
                                  [&](const KeyRecord& key) { return key.id == wanted[i].id; });
    ASSERT_NE(got, image.keys.end());
    EXPECT_EQ(got->account, wanted[i].account);
    EXPECT_EQ(got->spec, wanted[i].spec);
    EXPECT_EQ(got->origin, wanted[i].origin);
    EXPECT_EQ(got->state, wanted[i].state);
    EXPECT_EQ(got->description, wanted[i].description);
    EXPECT_EQ(got->created, wanted[i].created);
    EXPECT_EQ(got->deletion_date, wanted[i].deletion_date);
    EXPECT_EQ(got->policy_hash, wanted[i].policy_hash);
    EXPECT_EQ(got->current_material, wanted[i].current_material);
    EXPECT_EQ(got->revision, *revision);
  }
}

TEST_P(KeyStoreConformance, EmptyTextsComeBackEmpty) {
  ASSERT_TRUE(CommitOne(store(), Put(TestKey(1))).has_value());
  ASSERT_TRUE(CommitOne(store(), Put(TokenRecord{.token_id = ""})).has_value());
  Reopen();
  const StoreImage image = LoadOrFail(store());
  ASSERT_EQ(image.keys.size(), 1u);
  EXPECT_EQ(image.keys[0].description, "");
  EXPECT_EQ(image.keys[0].policy_hash, "");
  ASSERT_EQ(image.tokens.size(), 1u);
  EXPECT_EQ(image.tokens[0].token_id, "");
}

TEST_P(KeyStoreConformance, MultiRegionKeyIdKeepsItsForm) {
  KeyRecord key = TestKey(1);
  key.id = *KeyId::Parse("mrk-0123456789abcdef0123456789abcdef");
  ASSERT_TRUE(CommitOne(store(), Put(key)).has_value());
  EXPECT_EQ(LoadOrFail(store()).keys.at(0).id, key.id);
}

TEST_P(KeyStoreConformance, MaterialsAndBindingsComeBack) {
  const MaterialRecord without{
      .key_id = TestKeyId(1), .number = 0, .origin = Origin::kExternal, .valid_to = kLastTime};
  const MaterialRecord with{.key_id = TestKeyId(1),
                            .number = std::numeric_limits<std::uint32_t>::max(),
                            .check_value = Filled<32>(0xff)};
  const BindingRecord creating{.key_id = TestKeyId(1),
                               .material_number = 1,
                               .token_id = AwkwardText(),
                               .cka_id = Filled<16>(0),
                               .owned = false,
                               .state = BindingState::kCreating,
                               .creator_instance = AwkwardText(),
                               .verified_at = kFirstTime};
  const BindingRecord ready{.key_id = TestKeyId(1),
                            .material_number = 1,
                            .token_id = "t",
                            .cka_id = Filled<16>(0xff),
                            .owned = true,
                            .state = BindingState::kReady,
                            .creator_instance = "",
                            .verified_at = kLastTime};
  const Result<Revision> revision =
      store().Commit(std::vector<StoreWrite>{Put(with), Put(without), Put(creating), Put(ready)});
  ASSERT_TRUE(revision.has_value()) << ToString(revision.error());
  Reopen();

  const StoreImage image = LoadOrFail(store());
  ASSERT_EQ(image.materials.size(), 2u);
  for (const MaterialRecord& got : image.materials) {
    const MaterialRecord& want = got.number == 0 ? without : with;
    EXPECT_EQ(got.key_id, want.key_id);
    EXPECT_EQ(got.number, want.number);
    EXPECT_EQ(got.check_value, want.check_value);
    EXPECT_EQ(got.origin, want.origin);
    EXPECT_EQ(got.valid_to, want.valid_to);
    EXPECT_EQ(got.revision, *revision);
  }
  ASSERT_EQ(image.bindings.size(), 2u);
  for (const BindingRecord& got : image.bindings) {
    const BindingRecord& want = got.token_id == "t" ? ready : creating;
    EXPECT_EQ(got.key_id, want.key_id);
    EXPECT_EQ(got.material_number, want.material_number);
    EXPECT_EQ(got.token_id, want.token_id);
    EXPECT_EQ(got.cka_id, want.cka_id);
    EXPECT_EQ(got.owned, want.owned);
    EXPECT_EQ(got.state, want.state);
    EXPECT_EQ(got.creator_instance, want.creator_instance);
    EXPECT_EQ(got.verified_at, want.verified_at);
    EXPECT_EQ(got.revision, *revision);
  }
}

TEST_P(KeyStoreConformance, EverythingAboutPrincipalsComesBack) {
  PrincipalRecord principal = TestPrincipal(AwkwardText(), "alice");
  principal.policy_hash = "cafe";
  principal.created = kFirstTime;
  principal.boundary_hash = "beef";
  principal.role_id = AwkwardText();
  principal.spiffe_id = AwkwardText();
  principal.tags = {{AwkwardText(), ""}, {"", AwkwardText()}, {"12:3", "4:"}};
  const CertificateRecord certificate{
      .fingerprint = Filled<32>(0x80), .principal_id = AwkwardText(), .added = kLastTime};
  const AccessKeyRecord access_key{.access_key_id = "HMKA", .principal_id = AwkwardText()};
  const SignatureMarkRecord mark{.access_key_id = AwkwardText(), .until = kLastTime};
  const PolicyRecord policy{.hash = "cafe",
                            .document = std::string(32'768, '{'),
                            .bindings = {{"arn:aws:iam::1:user/u", AwkwardText()}, {"", ""}}};
  const ClientTokenRecord client_token{.principal_id = AwkwardText(),
                                       .client_token = AwkwardText(),
                                       .request_hash = "beef",
                                       .key_id = TestKeyId(7)};
  const Result<Revision> revision =
      store().Commit(std::vector<StoreWrite>{Put(principal), Put(certificate), Put(access_key),
                                             Put(mark), Put(policy), Put(client_token)});
  ASSERT_TRUE(revision.has_value()) << ToString(revision.error());
  Reopen();

  const StoreImage image = LoadOrFail(store());
  ASSERT_EQ(image.principals.size(), 1u);
  EXPECT_EQ(image.principals[0].unique_id, principal.unique_id);
  EXPECT_EQ(image.principals[0].arn.text(), principal.arn.text());
  EXPECT_EQ(image.principals[0].policy_hash, principal.policy_hash);
  EXPECT_EQ(image.principals[0].created, principal.created);
  EXPECT_EQ(image.principals[0].boundary_hash, principal.boundary_hash);
  EXPECT_EQ(image.principals[0].role_id, principal.role_id);
  EXPECT_EQ(image.principals[0].spiffe_id, principal.spiffe_id);
  EXPECT_EQ(image.principals[0].tags, principal.tags);
  ASSERT_EQ(image.certificates.size(), 1u);
  EXPECT_EQ(image.certificates[0].fingerprint, certificate.fingerprint);
  EXPECT_EQ(image.certificates[0].principal_id, certificate.principal_id);
  EXPECT_EQ(image.certificates[0].added, certificate.added);
  ASSERT_EQ(image.access_keys.size(), 1u);
  EXPECT_EQ(image.access_keys[0].access_key_id, access_key.access_key_id);
  EXPECT_EQ(image.access_keys[0].principal_id, access_key.principal_id);
  ASSERT_EQ(image.signature_marks.size(), 1u);
  EXPECT_EQ(image.signature_marks[0].access_key_id, mark.access_key_id);
  EXPECT_EQ(image.signature_marks[0].until, mark.until);
  ASSERT_EQ(image.policies.size(), 1u);
  EXPECT_EQ(image.policies[0].hash, policy.hash);
  EXPECT_EQ(image.policies[0].document, policy.document);
  EXPECT_EQ(image.policies[0].bindings, policy.bindings);
  ASSERT_EQ(image.client_tokens.size(), 1u);
  EXPECT_EQ(image.client_tokens[0].principal_id, client_token.principal_id);
  EXPECT_EQ(image.client_tokens[0].client_token, client_token.client_token);
  EXPECT_EQ(image.client_tokens[0].request_hash, client_token.request_hash);
  EXPECT_EQ(image.client_tokens[0].key_id, client_token.key_id);
  EXPECT_EQ(image.client_tokens[0].revision, *revision);
}

TEST_P(KeyStoreConformance, AliasesAndTokensComeBack) {
  const AliasRecord alias{.account = TestAccount(),
                          .name = "alias/" + AwkwardText(),
                          .target = TestKeyId(1),
                          .created = kFirstTime,
                          .updated = kLastTime};
  const TokenRecord token{.token_id = "softhsm",
                          .label = AwkwardText(),
                          .serial = AwkwardText(),
                          .manufacturer = AwkwardText(),
                          .anchor_cka_id = Filled<16>(1),
                          .anchor_check_value = Filled<32>(2),
                          .drained = true};
  ASSERT_TRUE(store().Commit(std::vector<StoreWrite>{Put(alias), Put(token)}).has_value());
  Reopen();
  const StoreImage image = LoadOrFail(store());
  ASSERT_EQ(image.aliases.size(), 1u);
  EXPECT_EQ(image.aliases[0].account, alias.account);
  EXPECT_EQ(image.aliases[0].name, alias.name);
  EXPECT_EQ(image.aliases[0].target, alias.target);
  EXPECT_EQ(image.aliases[0].created, alias.created);
  EXPECT_EQ(image.aliases[0].updated, alias.updated);
  ASSERT_EQ(image.tokens.size(), 1u);
  EXPECT_EQ(image.tokens[0].label, token.label);
  EXPECT_EQ(image.tokens[0].serial, token.serial);
  EXPECT_EQ(image.tokens[0].manufacturer, token.manufacturer);
  EXPECT_EQ(image.tokens[0].anchor_cka_id, token.anchor_cka_id);
  EXPECT_EQ(image.tokens[0].anchor_check_value, token.anchor_check_value);
  EXPECT_TRUE(image.tokens[0].drained);
}

TEST_P(KeyStoreConformance, TagsUsageAndTheSweepersStateComeBack) {
  const TagRecord tag{.key_id = TestKeyId(1),
                      .tag_key = AwkwardText(),
                      .tag_value = AwkwardText(),
                      .position = std::numeric_limits<std::uint32_t>::max()};
  const LastUsageRecord usage{.key_id = TestKeyId(1),
                              .operation = Operation::kVerifyMac,
                              .time = kLastTime,
                              .request_id = AwkwardText()};
  const SweeperRecord sweeper{.time_seen = kFirstTime, .halted = true};
  const BindingRecord destroying{.key_id = TestKeyId(1),
                                 .token_id = "t",
                                 .cka_id = Filled<16>(1),
                                 .state = BindingState::kDestroying,
                                 .creator_instance = ""};
  const Result<Revision> revision =
      store().Commit(std::vector<StoreWrite>{Put(tag), Put(usage), Put(sweeper), Put(destroying)});
  ASSERT_TRUE(revision.has_value()) << ToString(revision.error());
  Reopen();
  const StoreImage image = LoadOrFail(store());
  ASSERT_EQ(image.tags.size(), 1u);
  EXPECT_EQ(image.tags[0].key_id, tag.key_id);
  EXPECT_EQ(image.tags[0].tag_key, tag.tag_key);
  EXPECT_EQ(image.tags[0].tag_value, tag.tag_value);
  EXPECT_EQ(image.tags[0].position, tag.position);
  EXPECT_EQ(image.tags[0].revision, *revision);
  ASSERT_EQ(image.last_usages.size(), 1u);
  EXPECT_EQ(image.last_usages[0].operation, usage.operation);
  EXPECT_EQ(image.last_usages[0].time, usage.time);
  EXPECT_EQ(image.last_usages[0].request_id, usage.request_id);
  ASSERT_EQ(image.sweeper.size(), 1u);
  EXPECT_EQ(image.sweeper[0].time_seen, sweeper.time_seen);
  EXPECT_TRUE(image.sweeper[0].halted);
  ASSERT_EQ(image.bindings.size(), 1u);
  EXPECT_EQ(image.bindings[0].state, BindingState::kDestroying);
  // There is one sweeper.
  ExpectConflict(CommitOne(store(), Put(SweeperRecord{})));
}

TEST_P(KeyStoreConformance, GrantsComeBack) {
  GrantRecord least = TestGrant(1, TestKeyId(1));
  GrantRecord full = TestGrant(2, TestKeyId(1));
  full.grantee_id = full.grantee = full.retiring_id = full.retiring = AwkwardText();
  full.name = full.source_arn = AwkwardText();
  full.issuing_account = *AccountId::Parse("444455556666");
  full.created = kLastTime;
  full.operations = {};
  for (const Operation operation :
       {Operation::kVerifyMac, Operation::kCreateGrant, Operation::kGenerateMac,
        Operation::kRetireGrant, Operation::kDescribeKey}) {
    full.operations.Add(operation);
  }
  const Result<Revision> revision =
      store().Commit(std::vector<StoreWrite>{Put(least), Put(full), Put(TestKey(1))});
  ASSERT_TRUE(revision.has_value()) << ToString(revision.error());
  least.revision = full.revision = *revision;
  Reopen();
  const StoreImage image = LoadOrFail(store());
  ASSERT_EQ(image.grants.size(), 2u);
  for (const GrantRecord& got : image.grants)
    EXPECT_TRUE(got == (got.id == full.id ? full : least));

  ExpectConflict(CommitOne(store(), Put(TestGrant(1, TestKeyId(1)))));
  ASSERT_TRUE(CommitOne(store(), Remove(full)).has_value());
  ExpectConflict(CommitOne(store(), Remove(full)));
  EXPECT_EQ(LoadOrFail(store()).grants.size(), 1u);
}

TEST_P(KeyStoreConformance, GrantsOutliveTheirGrantee) {
  PrincipalRecord alice = TestPrincipal("AROA", "alice");
  ASSERT_TRUE(CommitOne(store(), Put(TestGrant(1, TestKeyId(1)))).has_value());
  alice.revision = *CommitOne(store(), Put(alice));
  ASSERT_TRUE(CommitOne(store(), Remove(alice)).has_value());
  EXPECT_EQ(LoadOrFail(store()).grants.size(), 1u);
}

TEST_P(KeyStoreConformance, AKeysGrantsAreRemovedAsOneWriteWithTheKeyOrNotAtAll) {
  KeyRecord key = TestKey(1);
  std::vector<StoreWrite> writes{Put(key), Put(TestKey(2))};
  for (std::uint32_t n = 0; n < 100; ++n) {
    writes.push_back(Put(TestGrant(n, TestKeyId(n % 10 == 0 ? 2 : 1))));
  }
  const Result<Revision> made = store().Commit(writes);
  ASSERT_TRUE(made.has_value()) << ToString(made.error());
  KeyRecord outdated = key;
  outdated.revision = *made + 1;
  ExpectConflict(
      store().Commit(std::vector<StoreWrite>{RemoveGrantsOf(outdated), Remove(outdated)}));
  EXPECT_EQ(LoadOrFail(store()).grants.size(), 100u);

  key.revision = *made;
  ASSERT_TRUE(
      store().Commit(std::vector<StoreWrite>{Remove(key), RemoveGrantsOf(key)}).has_value());
  Reopen();
  const StoreImage image = LoadOrFail(store());
  EXPECT_EQ(image.keys.size(), 1u);
  ASSERT_EQ(image.grants.size(), 10u);
  for (const GrantRecord& grant : image.grants) EXPECT_EQ(grant.key_id, TestKeyId(2));
  // A key without grants has none to remove.
  ASSERT_TRUE(CommitOne(store(), RemoveGrantsOf(key)).has_value());
}

TEST_P(KeyStoreConformance, EveryCommitTakesTheNextRevisionForAllItsRecords) {
  const Result<Revision> first =
      store().Commit(std::vector<StoreWrite>{Put(TestKey(1)), Put(TestKey(2))});
  const Result<Revision> second = CommitOne(store(), Put(TestKey(3)));
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(*second, *first + 1);
  Reopen();
  const StoreImage image = LoadOrFail(store());
  EXPECT_EQ(image.meta.revision, *second);
  for (const KeyRecord& key : image.keys) {
    EXPECT_EQ(key.revision, key.id == TestKeyId(3) ? *second : *first);
  }
}

TEST_P(KeyStoreConformance, CommitOfNothingChangesNothing) {
  ASSERT_TRUE(CommitOne(store(), Put(TestKey(1))).has_value());
  const Result<Revision> revision = store().Commit({});
  ASSERT_TRUE(revision.has_value());
  EXPECT_EQ(*revision, 1u);
  EXPECT_EQ(LoadOrFail(store()).meta.revision, 1u);
}

TEST_P(KeyStoreConformance, CreatingWhatExistsConflicts) {
  ASSERT_TRUE(CommitOne(store(), Put(TestKey(1, "first"))).has_value());
  ExpectConflict(CommitOne(store(), Put(TestKey(1, "second"))));
  EXPECT_EQ(LoadOrFail(store()).keys.at(0).description, "first");
}

TEST_P(KeyStoreConformance, UpdateOfAnOutdatedRecordConflicts) {
  KeyRecord key = TestKey(1, "first");
  key.revision = *CommitOne(store(), Put(key));
  KeyRecord outdated = key;
  key.description = "second";
  ASSERT_TRUE(CommitOne(store(), Put(key)).has_value());
  outdated.description = "third";
  ExpectConflict(CommitOne(store(), Put(outdated)));
  EXPECT_EQ(LoadOrFail(store()).keys.at(0).description, "second");
}

TEST_P(KeyStoreConformance, UpdateOfAMissingRecordConflicts) {
  KeyRecord key = TestKey(1);
  for (const Revision revision : {Revision{1}, std::numeric_limits<Revision>::max()}) {
    key.revision = revision;
    ExpectConflict(CommitOne(store(), Put(key)));
  }
  EXPECT_TRUE(LoadOrFail(store()).keys.empty());
}

TEST_P(KeyStoreConformance, RemovingTakesTheRightRevisionOrConflicts) {
  KeyRecord key = TestKey(1);
  ExpectConflict(CommitOne(store(), Remove(key)));
  key.revision = *CommitOne(store(), Put(key));
  KeyRecord outdated = key;
  outdated.revision += 1;
  ExpectConflict(CommitOne(store(), Remove(outdated)));
  ASSERT_TRUE(CommitOne(store(), Remove(key)).has_value());
  ExpectConflict(CommitOne(store(), Remove(key)));
  Reopen();
  EXPECT_TRUE(LoadOrFail(store()).keys.empty());
}

TEST_P(KeyStoreConformance, OneConflictInABatchLeavesNothingOfIt) {
  KeyRecord kept = TestKey(1, "kept");
  kept.revision = *CommitOne(store(), Put(kept));
  KeyRecord changed = kept;
  changed.description = "changed";
  ExpectConflict(store().Commit(
      std::vector<StoreWrite>{Put(TestKey(2)), Put(changed), Put(TestKey(1)), Put(TestKey(3))}));
  const StoreImage image = LoadOrFail(store());
  ASSERT_EQ(image.keys.size(), 1u);
  EXPECT_EQ(image.keys[0].description, "kept");
  EXPECT_EQ(image.keys[0].revision, kept.revision);
  EXPECT_EQ(image.meta.revision, kept.revision);
  // The failed batch leaves the store usable.
  EXPECT_TRUE(CommitOne(store(), Put(TestKey(2))).has_value());
}

TEST_P(KeyStoreConformance, OneArnBelongsToOnePrincipal) {
  PrincipalRecord alice = TestPrincipal("p1", "alice");
  alice.revision = *CommitOne(store(), Put(alice));
  ExpectConflict(CommitOne(store(), Put(TestPrincipal("p2", "alice"))));
  PrincipalRecord bob = TestPrincipal("p2", "bob");
  bob.revision = *CommitOne(store(), Put(bob));
  bob.arn = alice.arn;
  ExpectConflict(CommitOne(store(), Put(bob)));
  // Once removed, the ARN is free again, even in the same commit.
  EXPECT_TRUE(store()
                  .Commit(std::vector<StoreWrite>{Remove(alice), Put(TestPrincipal("p3", "alice"))})
                  .has_value());
}

TEST_P(KeyStoreConformance, PuttingAnExistingPolicyIsNoConflictAndGuardsItFromRemoval) {
  PolicyRecord seen{.hash = "cafe", .document = "{}"};
  seen.revision = *CommitOne(store(), Put(seen));
  const PolicyRecord again{.hash = "cafe", .document = "{}"};
  const Result<Revision> revision =
      store().Commit(std::vector<StoreWrite>{Put(again), Put(TestKey(1))});
  ASSERT_TRUE(revision.has_value()) << ToString(revision.error());
  ExpectConflict(CommitOne(store(), Remove(seen)));
  const StoreImage image = LoadOrFail(store());
  ASSERT_EQ(image.policies.size(), 1u);
  EXPECT_EQ(image.policies[0].document, "{}");
  EXPECT_EQ(image.policies[0].revision, *revision);
}

TEST_P(KeyStoreConformance, ConcurrentCommitsSerialise) {
  constexpr std::uint32_t kThreads = 4;
  constexpr std::uint32_t kEach = 10;
  KeyRecord contested = TestKey(0);
  contested.revision = *CommitOne(store(), Put(contested));
  std::atomic<int> winners = 0;
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t thread = 1; thread <= kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        if (CommitOne(store(), Put(contested)).has_value()) ++winners;
        for (std::uint32_t i = 0; i < kEach; ++i) {
          if (!CommitOne(store(), Put(TestKey(thread * 1000 + i))).has_value()) ++failures;
        }
      });
    }
  }
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(failures, 0);
  const StoreImage image = LoadOrFail(store());
  EXPECT_EQ(image.keys.size(), 1 + kThreads * kEach);
  EXPECT_EQ(image.meta.revision, 2 + kThreads * kEach);
}

}  // namespace
}  // namespace hallmark::store
