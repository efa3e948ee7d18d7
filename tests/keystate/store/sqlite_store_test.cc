#include "keystate/store/sqlite_store.h"

#include "keystate/store/schema.h"
#include "tests/keystate/store/key_store_conformance.h"
#include "tests/keystate/store/test_records.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace hallmark::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SqliteFixture : public KeyStoreFixture {
 public:
  SqliteFixture() { Reopen(); }

  KeyStore& store() override { return *store_; }

  void Reopen() override {
    store_.reset();
    auto opened = SqliteStore::Open(folder_.path() / "store", kTestSite, random_);
    if (!opened) {
      ADD_FAILURE() << ToString(opened.error());
      std::abort();
    }
    store_ = *std::move(opened);
  }

 private:
  TemporaryDirectory folder_;
  CountingRandom random_;
  std::unique_ptr<SqliteStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, KeyStoreConformance,
                         ::testing::Values(KeyStoreFactory{
                             "Sqlite", [] { return std::make_unique<SqliteFixture>(); }}),
                         [](const auto& suite) { return suite.param.name; });

class SqliteStoreTest : public ::testing::Test {
 protected:
  std::filesystem::path directory() const { return folder_.path() / "store"; }
  std::filesystem::path database() const { return directory() / "hallmark.db"; }

  Result<std::unique_ptr<SqliteStore>> Open(const Site& site = kTestSite) {
    return SqliteStore::Open(directory(), site, random_);
  }

  // A closed store with one of everything that the tests damage.
  void MakeStore() {
    auto store = Open();
    ASSERT_TRUE(store.has_value()) << ToString(store.error());
    ASSERT_TRUE((*store)
                    ->Commit(std::vector<StoreWrite>{
                        Put(TestKey(1)),
                        Put(CertificateRecord{.fingerprint = Filled<32>(7), .principal_id = "p"}),
                        Put(TestPrincipal("p", "alice")), Put(TestGrant(1, TestKeyId(1))),
                        Put(PolicyRecord{.hash = "a", .document = "{}"})})
                    .has_value());
  }

  // Behind the store's back, as an administrator's shell would.
  void Sql(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(database().c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  std::string DatabaseBytes() const {
    std::ifstream in(database(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void ExpectRefusedUnchanged(const Site& site, Exception exception,
                              const ::testing::Matcher<std::string>& message) {
    const std::string before = DatabaseBytes();
    const auto refused = Open(site);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().exception, exception) << ToString(refused.error());
    EXPECT_THAT(refused.error().message, message);
    EXPECT_TRUE(DatabaseBytes() == before);
  }

  TemporaryDirectory folder_;
  CountingRandom random_;
};

mode_t ModeOf(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

TEST_F(SqliteStoreTest, OnlyTheOwnerMayReadWhateverTheUmask) {
  const mode_t before = umask(0);
  auto store = Open();
  ASSERT_TRUE(store.has_value()) << ToString(store.error());
  ASSERT_TRUE(CommitOne(**store, Put(TestKey(1))).has_value());
  umask(before);
  EXPECT_EQ(ModeOf(directory()), 0700u);
  for (const char* name : {"hallmark.db", "hallmark.db-wal", "hallmark.db-shm", "lock"}) {
    EXPECT_EQ(ModeOf(directory() / name), 0600u) << name;
  }
}

TEST_F(SqliteStoreTest, RestrictiveUmaskDoesNotLockTheOwnerOut) {
  const mode_t before = umask(0777);
  auto store = Open();
  umask(before);
  ASSERT_TRUE(store.has_value()) << ToString(store.error());
  EXPECT_EQ(ModeOf(directory()), 0700u);
  EXPECT_EQ(ModeOf(database()), 0600u);
}

TEST_F(SqliteStoreTest, StoreIdIsDrawnOnceAndKept) {
  std::string first;
  {
    auto store = Open();
    ASSERT_TRUE(store.has_value());
    first = (*store)->Load()->meta.store_id;
  }
  auto store = Open();
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->Load()->meta.store_id, first);
}

TEST_F(SqliteStoreTest, SecondOpenerInTheSameProcessIsRefusedUntilTheFirstCloses) {
  {
    auto holder = Open();
    ASSERT_TRUE(holder.has_value());
    const auto refused = Open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().exception, Exception::kConflictException);
    EXPECT_THAT(refused.error().message, HasSubstr("process " + std::to_string(getpid())));
  }
  EXPECT_TRUE(Open().has_value());
}

TEST_F(SqliteStoreTest, OtherSiteIsRefusedNamingBoth) {
  MakeStore();
  ExpectRefusedUnchanged({"aws", "eu-central-1"}, Exception::kValidationException,
                         AllOf(HasSubstr("us-west-2"), HasSubstr("eu-central-1")));
  ExpectRefusedUnchanged({"aws-cn", "us-west-2"}, Exception::kValidationException,
                         AllOf(HasSubstr("partition aws,"), HasSubstr("aws-cn")));
}

TEST_F(SqliteStoreTest, NewerSchemaIsRefusedNamingBothVersionsAndTheFileIsUnchanged) {
  MakeStore();
  Sql("PRAGMA user_version = 1000");
  ExpectRefusedUnchanged(
      kTestSite, Exception::kUnsupportedOperationException,
      AllOf(HasSubstr("schema 1000"), HasSubstr("schema " + std::to_string(Migrations().size()))));
}

TEST_F(SqliteStoreTest, DatabaseOfAnotherProgramIsRefused) {
  MakeStore();
  Sql("PRAGMA application_id = 1");
  ExpectRefusedUnchanged(kTestSite, Exception::kKMSInternalException,
                         HasSubstr("not a Hallmark store"));
}

TEST_F(SqliteStoreTest, FileThatIsNoDatabaseIsRefusedAndKept) {
  MakeStore();
  std::ofstream(database(), std::ios::trunc) << std::string(8192, 'x');
  ExpectRefusedUnchanged(kTestSite, Exception::kKMSInternalException, HasSubstr("damaged"));
}

TEST_F(SqliteStoreTest, DatabaseTruncatedToNothingIsNotTakenForANewOne) {
  MakeStore();
  std::filesystem::resize_file(database(), 0);
  ExpectRefusedUnchanged(kTestSite, Exception::kKMSInternalException, HasSubstr("damaged"));
}

TEST_F(SqliteStoreTest, MissingDatabaseBesideItsWalIsNotTakenForANewOne) {
  MakeStore();
  std::filesystem::rename(database(), directory() / "hallmark.db-wal");
  const auto refused = Open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("missing"));
}

TEST_F(SqliteStoreTest, DamagedPageIsFoundAtStart) {
  MakeStore();
  std::fstream file(database(), std::ios::in | std::ios::out | std::ios::binary);
  for (std::uintmax_t page = 1; page * 4096 < std::filesystem::file_size(database()); ++page) {
    file.seekp(static_cast<std::streamoff>(page * 4096));
    file << std::string(64, '\xff');
  }
  file.close();
  ExpectRefusedUnchanged(kTestSite, Exception::kKMSInternalException, HasSubstr("damaged"));
}

TEST_F(SqliteStoreTest, LeftoverOfAnInterruptedCreationIsReplaced) {
  ASSERT_EQ(mkdir(directory().c_str(), 0755), 0);
  std::ofstream(directory() / "hallmark.db.new") << "half";
  const auto store = Open();
  EXPECT_TRUE(store.has_value());
  EXPECT_EQ(ModeOf(directory()), 0700u);
  EXPECT_FALSE(std::filesystem::exists(directory() / "hallmark.db.new"));
}

TEST_F(SqliteStoreTest, MissingParentFolderIsNamed) {
  const auto refused = SqliteStore::Open(folder_.path() / "absent" / "store", kTestSite, random_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().exception, Exception::kDependencyTimeoutException);
  EXPECT_THAT(refused.error().message, HasSubstr("absent/store"));
}

struct MalformedRow {
  const char* name;
  const char* sql;
  const char* table;
  const char* column;
};
void PrintTo(const MalformedRow& row, std::ostream* out) { *out << row.sql; }

class MalformedRowTest : public SqliteStoreTest,
                         public ::testing::WithParamInterface<MalformedRow> {};

TEST_P(MalformedRowTest, LoadNamesTableAndColumn) {
  MakeStore();
  Sql(GetParam().sql);
  auto store = Open();
  ASSERT_TRUE(store.has_value()) << ToString(store.error());
  const Result<StoreImage> image = (*store)->Load();
  ASSERT_FALSE(image.has_value());
  EXPECT_EQ(image.error().exception, Exception::kKMSInternalException);
  EXPECT_THAT(image.error().detail,
              AllOf(HasSubstr(std::string("table ") + GetParam().table + ", row "),
                    HasSubstr(std::string("column ") + GetParam().column + ": ")));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, MalformedRowTest,
    ::testing::ValuesIn<MalformedRow>({
        {"UnknownEnumText", "UPDATE key SET state = 'Melted'", "key", "state"},
        {"BadKeyId", "UPDATE key SET key_id = 'k'", "key", "key_id"},
        {"BadAccount", "UPDATE key SET account = '1'", "key", "account"},
        {"NegativeNumber", "UPDATE key SET current_material = -1", "key", "current_material"},
        {"HugeNumber", "UPDATE key SET current_material = 4294967296", "key", "current_material"},
        {"ZeroRevision", "UPDATE key SET revision = 0", "key", "revision"},
        {"ShortBlob", "UPDATE certificate SET fingerprint = x'00'", "certificate", "fingerprint"},
        {"BadArn", "UPDATE principal SET arn = 'arn'", "principal", "arn"},
        {"BadGrantId", "UPDATE grant SET grant_id = 'g'", "grant", "grant_id"},
        {"NoGrantOperation", "UPDATE grant SET operations = ''", "grant", "operations"},
        {"UnknownGrantOperation", "UPDATE grant SET operations = 'GenerateMac,Sign'", "grant",
         "operations"},
        {"OperationThatNoGrantHas", "UPDATE grant SET operations = 'EnableKey'", "grant",
         "operations"},
        {"HalfAPair", "UPDATE principal SET tags = '1:a'", "principal", "tags"},
        {"PairThatIsTooLong", "UPDATE policy SET bindings = '1:a2:b'", "policy", "bindings"},
        {"PairWithoutSizes", "UPDATE policy SET bindings = 'ab'", "policy", "bindings"},
    }),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(SqliteStoreTest, FailedMigrationLeavesTheSchemaBeforeIt) {
  MakeStore();
  auto db = Database::OpenUntouched(database());
  ASSERT_TRUE(db.has_value());
  std::vector<std::string_view> steps(Migrations().begin(), Migrations().end());
  steps.push_back("CREATE TABLE good (a INTEGER) STRICT;");
  steps.push_back("CREATE TABLE lost (a INTEGER) STRICT; CREATE TABLE broken (;");
  EXPECT_FALSE(Migrate(*db, steps).has_value());
  EXPECT_EQ(*SchemaVersion(*db), static_cast<std::int64_t>(Migrations().size()) + 1);
  EXPECT_TRUE(db->Prepare("SELECT a FROM good").has_value());
  EXPECT_FALSE(db->Prepare("SELECT a FROM lost").has_value());
  steps.back() = "CREATE TABLE lost (a INTEGER) STRICT;";
  EXPECT_TRUE(Migrate(*db, steps).has_value());
  EXPECT_EQ(*SchemaVersion(*db), static_cast<std::int64_t>(steps.size()));
}

TEST_F(SqliteStoreTest, AStoreOfSchemaTwoKeepsEverythingAndTakesWhatIsNew) {
  ASSERT_EQ(mkdir(directory().c_str(), 0700), 0);
  std::ifstream dump(std::filesystem::path(HALLMARK_SOURCE_DIR) /
                     "tests/keystate/store/schema_2.sql");
  Sql({std::istreambuf_iterator<char>(dump), {}});
  auto store = Open();
  ASSERT_TRUE(store.has_value()) << ToString(store.error());
  Result<StoreImage> image = (*store)->Load();
  ASSERT_TRUE(image.has_value()) << ToString(image.error());
  EXPECT_EQ(image->meta.revision, 9u);
  ASSERT_EQ(image->keys.size(), 1u);
  EXPECT_EQ(image->keys[0].description, "from schema 2");
  EXPECT_EQ(image->materials.size() + image->aliases.size() + image->tags.size(), 3u);
  EXPECT_EQ(image->certificates.size() + image->access_keys.size(), 2u);
  EXPECT_EQ(image->client_tokens.size(), 1u);
  EXPECT_TRUE(image->grants.empty());
  ASSERT_EQ(image->policies.size(), 1u);
  EXPECT_TRUE(image->policies[0].bindings.empty());
  ASSERT_EQ(image->principals.size(), 2u);
  for (const PrincipalRecord& principal : image->principals) {
    EXPECT_THAT(principal.unique_id, ::testing::StartsWith("HMID")) << "ids never change";
    EXPECT_EQ(principal.boundary_hash, "");
    EXPECT_EQ(principal.role_id, "");
    EXPECT_TRUE(principal.tags.empty());
  }
  PrincipalRecord changed = image->principals[0];
  changed.tags = {{"team", "keys"}};
  GrantRecord grant = TestGrant(1, image->keys[0].id);
  ASSERT_TRUE((*store)
                  ->Commit(std::vector<StoreWrite>{Put(changed), Put(grant), Put(image->keys[0])})
                  .has_value());
  image = (*store)->Load();
  ASSERT_EQ(image->grants.size(), 1u);
  EXPECT_EQ(image->grants[0].id, grant.id);
}

TEST_F(SqliteStoreTest, ATokenFromBeforeDrainingIsInUse) {
  {
    ASSERT_TRUE(Open().has_value());  // makes the store
    auto db = Database::OpenUntouched(directory() / "hallmark.db");
    ASSERT_TRUE(db.has_value());
    // As schema 4 left it.
    ASSERT_TRUE(db->Execute("ALTER TABLE token DROP COLUMN drained; PRAGMA user_version = 4;"
                            "INSERT INTO token VALUES ('main', '', '', '', zeroblob(16), "
                            "zeroblob(32), 1)")
                    .has_value());
  }
  auto store = Open();
  ASSERT_TRUE(store.has_value()) << ToString(store.error());
  const Result<StoreImage> image = (*store)->Load();
  ASSERT_TRUE(image.has_value()) << ToString(image.error());
  ASSERT_EQ(image->tokens.size(), 1u);
  EXPECT_FALSE(image->tokens[0].drained);
}

TEST_F(SqliteStoreTest, CommitsGoToTheWal) {
  auto store = Open();
  ASSERT_TRUE(store.has_value());
  ASSERT_TRUE(CommitOne(**store, Put(TestKey(1))).has_value());
  EXPECT_GT(std::filesystem::file_size(directory() / "hallmark.db-wal"), 0u);
}

}  // namespace
}  // namespace hallmark::store
