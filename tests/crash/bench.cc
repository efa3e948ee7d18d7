#include "tests/crash/bench.h"

#include "keystate/bytes.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>

namespace hallmark::testing {
namespace {

constexpr std::chrono::seconds kDeathLimit{20};
constexpr const char* kMessage = "the same message every time";

// What the store says about the token's objects, by CKA_ID in lower-case hex.
struct Records {
  std::map<std::string, std::string> bindings;  // → state
  std::set<std::string> anchors;
};

// Runs `sql` on the daemon's store, beside it if it is running, as a backup would; each row goes to
// `take`.
void Query(const std::filesystem::path& home, const std::string& sql,
           const std::function<void(char** row)>& take) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2((home / "store/hallmark.db").c_str(), &raw,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(raw, &sqlite3_close);
  // Nothing is tidied up that the daemon left.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_busy_timeout(raw, 10'000);
  const auto call = [](void* out, int, char** row, char**) {
    (*static_cast<const std::function<void(char**)>*>(out))(row);
    return 0;
  };
  auto* const out = const_cast<std::function<void(char**)>*>(&take);
  if (opened != SQLITE_OK || sqlite3_exec(raw, sql.c_str(), call, out, nullptr) != SQLITE_OK) {
    std::fprintf(stderr, "%s: %s\n", sql.c_str(), sqlite3_errmsg(raw));
    std::abort();
  }
}

Records ReadRecords(const std::filesystem::path& home) {
  Records records;
  Query(home, "SELECT lower(hex(cka_id)), state FROM binding",
        [&](char** row) { records.bindings[row[0]] = row[1]; });
  Query(home, "SELECT lower(hex(anchor_cka_id)) FROM token",
        [&](char** row) { records.anchors.insert(row[0]); });
  return records;
}

std::map<std::string, std::string> ListPrincipals(const TestDaemon& daemon) {
  const auto channel = grpc::CreateChannel("unix:" + (daemon.home() / "admin.sock").string(),
                                           grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  v1::ListPrincipalsResponse response;
  const Outcome outcome =
      OutcomeOf(v1::AdminService::NewStub(channel)->ListPrincipals(&context, {}, &response));
  EXPECT_TRUE(outcome.ok()) << outcome;
  std::map<std::string, std::string> principals;
  for (const v1::Principal& principal : response.principals()) {
    std::string& fingerprints = principals[principal.arn()];
    for (const std::string& one : principal.certificate_fingerprints()) fingerprints += one;
  }
  return principals;
}

std::map<std::string, std::string> ListAliases(const Client& client) {
  std::map<std::string, std::string> aliases;
  v1::ListAliasesRequest request;
  request.set_limit(100);
  for (;;) {
    v1::ListAliasesResponse page;
    const Outcome outcome = client.Call(&v1::KeyService::Stub::ListAliases, request, &page);
    EXPECT_TRUE(outcome.ok()) << outcome;
    for (const auto& entry : page.aliases()) aliases[entry.alias_name()] = entry.target_key_id();
    if (!page.truncated()) return aliases;
    request.set_marker(page.next_marker());
  }
}

std::map<std::string, std::string> ListTags(const Client& client, const std::string& key_id) {
  v1::ListResourceTagsRequest request;
  request.set_key_id(key_id);
  v1::ListResourceTagsResponse response;
  const Outcome outcome = client.Call(&v1::KeyService::Stub::ListResourceTags, request, &response);
  EXPECT_TRUE(outcome.ok()) << outcome;
  std::map<std::string, std::string> tags;
  for (const v1::Tag& tag : response.tags()) tags[tag.tag_key()] = tag.tag_value();
  return tags;
}

// The grants of a key, by their names.
std::map<std::string, std::string> ListGrants(const Client& client, const std::string& key_id) {
  v1::ListGrantsRequest request;
  request.set_key_id(key_id);
  v1::ListGrantsResponse response;
  const Outcome outcome = client.Call(&v1::KeyService::Stub::ListGrants, request, &response);
  EXPECT_TRUE(outcome.ok()) << outcome;
  std::map<std::string, std::string> grants;
  for (const v1::GrantListEntry& grant : response.grants()) {
    grants[grant.name()] = grant.grantee_principal();
  }
  return grants;
}

std::string NameOfPolicy(const Client& client, const std::string& key_id) {
  v1::GetKeyPolicyRequest request;
  request.set_key_id(key_id);
  v1::GetKeyPolicyResponse response;
  const Outcome outcome = client.Call(&v1::KeyService::Stub::GetKeyPolicy, request, &response);
  EXPECT_TRUE(outcome.ok()) << outcome;
  const auto policy = nlohmann::json::parse(response.policy());
  return policy.at("Statement").back().value("Sid", "");
}

}  // namespace

Bench::Bench() : daemon_(TestDaemon::Options{.kill_switch = true}), kills_(daemon_.kill_control()) {
  const std::map<std::string, std::string> before = ObjectFiles(daemon_.home());
  {
    const TokenView token(daemon_.home());
    const std::size_t objects = token.Objects().size();
    token.AddForeignObjects();
    foreign_objects_ = token.Objects().size() - objects;
  }
  for (const auto& [name, content] : ObjectFiles(daemon_.home())) {
    if (!before.contains(name)) foreign_files_[name] = content;
  }
  EXPECT_TRUE(TryStart().ok());
  client_ = daemon_.AddPrincipal(TestDaemon::kAdmin, TestDaemon::kAllowAll);
}

void Bench::Start() {
  kills_.Disarm();
  const Outcome started = TryStart();
  if (started.ok()) return;
  std::fprintf(stderr, "it does not start any more: %d %s\n", *exit_code_,
               ReadFile(daemon_.home() / "stderr").c_str());
  std::abort();
}

Outcome Bench::TryStart() {
  exit_code_.reset();
  if (daemon_.TryStart()) {
    exit_code_ = daemon_.WaitForEnd(0ms);
    return kLost;
  }
  EXPECT_TRUE(Eventually([&] { return ended() || Swept(); }, 30s));
  if (ended()) return kLost;
  if (client_.channel != nullptr) client_ = Connect();
  return {};
}

Outcome Bench::Stop() {
  ::kill(daemon_.pid(), SIGTERM);
  exit_code_ = daemon_.WaitForEnd(kDeathLimit);
  return exit_code_ == 0 ? Outcome() : kLost;
}

::testing::AssertionResult Bench::Died() {
  if (!exit_code_) exit_code_ = daemon_.WaitForEnd(kDeathLimit);
  if (!exit_code_) return ::testing::AssertionFailure() << "it was never there, and still serves";
  if (*exit_code_ != 128 + SIGKILL) {
    return ::testing::AssertionFailure() << "it ended with " << *exit_code_;
  }
  if (!kills_.struck()) return ::testing::AssertionFailure() << "somebody else killed it";
  return ::testing::AssertionSuccess();
}

World Bench::Observe() {
  World world;
  for (const std::string& id : ListKeys(client_)) {
    v1::DescribeKeyRequest request;
    request.set_key_id(id);
    v1::DescribeKeyResponse described;
    const Outcome outcome = client_.Call(&v1::KeyService::Stub::DescribeKey, request, &described);
    EXPECT_TRUE(outcome.ok()) << "listed, and not to be described: " << id << " " << outcome;
    const v1::KeyMetadata& metadata = described.key_metadata();
    const MacAnswer answer = GenerateMac(client_, id, kMessage);
    world.keys[id] = {v1::KeyState_Name(metadata.key_state()),
                      metadata.description(),
                      answer.outcome.ok() ? "OK" : answer.outcome.exception,
                      metadata.has_deletion_date(),
                      ListTags(client_, id),
                      ListGrants(client_, id),
                      NameOfPolicy(client_, id)};
    if (!answer.outcome.ok()) continue;
    const std::string& first = macs_.emplace(id, answer.mac).first->second;
    EXPECT_EQ(ToHex(AsBytes(answer.mac)), ToHex(AsBytes(first))) << "another MAC of key " << id;
  }
  world.aliases = ListAliases(client_);
  world.principals = ListPrincipals(daemon_);
  return world;
}

void Bench::ChangeStore(const std::string& sql) {
  Query(daemon_.home(), sql, [](char**) {});
}

bool Bench::HasRecordOf(const std::string& key_id) const {
  return Finds("SELECT key_id FROM key WHERE key_id = '" + key_id + "'");
}

bool Bench::HasUnfinishedKey() const {
  return Finds("SELECT key_id FROM binding WHERE state = 'creating'");
}

bool Bench::Finds(const std::string& sql) const {
  bool found = false;
  Query(daemon_.home(), sql, [&](char**) { found = true; });
  return found;
}

bool Bench::Swept() {
  // With the time: a store of yesterday comes to the same revision again.
  std::string sweep;
  Query(daemon_.home(), "SELECT revision || ' ' || time_seen FROM sweeper",
        [&](char** row) { sweep = row[0]; });
  if (sweep == last_sweep_) return false;
  last_sweep_ = sweep;
  return true;
}

bool Bench::ended() {
  if (!exit_code_) exit_code_ = daemon_.WaitForEnd(0ms);
  return exit_code_.has_value();
}

::testing::AssertionResult Bench::TokenIsSound(Leftovers* leftovers) {
  ::testing::AssertionResult sound = ::testing::AssertionSuccess();
  const auto complain = [&](const std::string& text) {
    if (sound) sound = ::testing::AssertionFailure();
    sound << text << "\n";
  };
  *leftovers = {};
  const Records records = ReadRecords(daemon_.home());
  std::map<std::string, std::size_t> found;
  std::size_t objects_of_others = 0;
  {
    const TokenView token(daemon_.home());
    for (const TokenObject& object : token.Objects()) {
      if (records.bindings.contains(object.id) || records.anchors.contains(object.id)) {
        ++found[object.id];
      } else {
        ++objects_of_others;
        if (object.label == "hallmark" && object.id.size() == 2 * CkaId().size()) {
          ++leftovers->orphans;
        }
      }
    }
  }
  for (const std::string& anchor : records.anchors) {
    if (found[anchor] != 1)
      complain("the anchor is there " + std::to_string(found[anchor]) + " times");
  }
  for (const auto& [id, state] : records.bindings) {
    if (state != "ready") complain("binding " + id + " is " + state);
    if (found[id] != 1)
      complain("object " + id + " is there " + std::to_string(found[id]) + " times");
  }
  const std::map<std::string, std::string> files = ObjectFiles(daemon_.home());
  for (const auto& [name, content] : foreign_files_) {
    const auto file = files.find(name);
    if (file == files.end() || file->second != content)
      complain("foreign " + name + " was touched");
  }
  // One of the foreign objects looks like an orphan of ours.
  --leftovers->orphans;
  // SoftHSM does not show an empty file, and shows what it had begun to write.
  leftovers->debris = files.size() - foreign_objects_ - records.bindings.size() -
                      records.anchors.size() - leftovers->orphans;
  if (objects_of_others < foreign_objects_) complain("a foreign object is gone");
  return sound;
}

}  // namespace hallmark::testing
