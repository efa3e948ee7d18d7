// RFC 4231 through everything: client, TLS, gRPC, the pipeline, the token.
#include "keystate/bytes.h"
#include "keystate/store/sqlite_store.h"
#include "pkcs11/check_value.h"
#include "service/system/system.h"
#include "tests/daemon/calls.h"
#include "tests/daemon/rfc4231_vectors.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::testing {
namespace {

const EVP_MD* HashOf(KeySpec spec) {
  switch (spec) {
    case KeySpec::kHmac224:
      return EVP_sha224();
    case KeySpec::kHmac256:
      return EVP_sha256();
    case KeySpec::kHmac384:
      return EVP_sha384();
    case KeySpec::kHmac512:
      return EVP_sha512();
  }
  std::abort();
}

std::string Hmac(KeySpec spec, std::string_view key, std::string_view message) {
  std::string mac(kMaxMacBytes, '\0');
  unsigned size = 0;
  HMAC(HashOf(spec), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(),
       reinterpret_cast<unsigned char*>(mac.data()), &size);
  mac.resize(size);
  return mac;
}

std::string Digest(const EVP_MD* hash, std::string_view text) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, hash,
             nullptr);
  digest.resize(size);
  return digest;
}

// HMAC's own rule brings every key to the exact size of the spec without changing a MAC: a key
// longer than a block is replaced by its digest, a shorter one is padded with zeros.
std::string KeyOfExactSize(KeySpec spec, const std::string& key) {
  const std::size_t size = Row(spec).key_bytes;
  const auto block = static_cast<std::size_t>(EVP_MD_block_size(HashOf(spec)));
  std::string exact = key.size() > block ? Digest(HashOf(spec), key) : key;
  exact.resize(size, '\0');
  return exact;
}

// The daemon's token, opened by this process while no daemon runs.
class OpenToken {
 public:
  explicit OpenToken(const TestDaemon& daemon) {
    // SoftHSM reads it once per process.
    ::setenv("SOFTHSM2_CONF", (daemon.home() / "softhsm2.conf").c_str(), 1);
    void* module = ::dlopen(HALLMARK_SOFTHSM_MODULE, RTLD_NOW | RTLD_LOCAL);
    Require(module != nullptr);
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module, "C_GetFunctionList"));
    Require(get != nullptr && get(&functions_) == CKR_OK &&
            functions_->C_Initialize(nullptr) == CKR_OK);
    std::array<CK_SLOT_ID, 8> slots{};
    CK_ULONG count = slots.size();
    Require(functions_->C_GetSlotList(CK_TRUE, slots.data(), &count) == CKR_OK);
    const auto slot = std::find_if(slots.begin(), slots.begin() + count, [this](CK_SLOT_ID id) {
      CK_TOKEN_INFO info{};
      return functions_->C_GetTokenInfo(id, &info) == CKR_OK &&
             std::string(info.label, std::end(info.label)).starts_with("hallmark ");
    });
    Require(slot != slots.begin() + count);
    Require(functions_->C_OpenSession(*slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                      &session_) == CKR_OK);
    std::string pin = ReadFile(daemon.home() / "user.pin");
    Require(functions_->C_Login(session_, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(pin.data()),
                                pin.size()) == CKR_OK);
  }
  ~OpenToken() { functions_->C_Finalize(nullptr); }
  OpenToken(const OpenToken&) = delete;
  OpenToken& operator=(const OpenToken&) = delete;

  void PutKey(CkaId id, std::string value) {
    CK_ULONG object_class = CKO_SECRET_KEY;
    CK_ULONG type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    std::array<CK_ATTRIBUTE, 9> attributes{{{CKA_CLASS, &object_class, sizeof object_class},
                                            {CKA_KEY_TYPE, &type, sizeof type},
                                            {CKA_TOKEN, &yes, sizeof yes},
                                            {CKA_PRIVATE, &yes, sizeof yes},
                                            {CKA_SENSITIVE, &yes, sizeof yes},
                                            {CKA_EXTRACTABLE, &no, sizeof no},
                                            {CKA_SIGN, &yes, sizeof yes},
                                            {CKA_ID, id.data(), id.size()},
                                            {CKA_VALUE, value.data(), value.size()}}};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    Require(functions_->C_CreateObject(session_, attributes.data(), attributes.size(), &key) ==
            CKR_OK);
  }

 private:
  static void Require(bool ok) {
    if (!ok) std::abort();
  }

  CK_FUNCTION_LIST* functions_ = nullptr;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

// A daemon that serves every key of the RFC under every spec, as if it had made them.
class World {
 public:
  World() {
    PutKeys();
    daemon_.Start();
  }

  const Client& client() { return daemon_.admin(); }
  const std::string& KeyFor(KeySpec spec, const Rfc4231Case& one) const {
    return key_ids_.at({spec, one.name});
  }

 private:
  void PutKeys() {
    service::OsRandom random;
    OpenToken token(daemon_);
    std::vector<StoreWrite> writes;
    for (const KeySpecRow& row : kKeySpecs) {
      for (const Rfc4231Case& one : Rfc4231Cases()) {
        const std::string value = KeyOfExactSize(row.spec, one.key);
        CkaId uuid{};
        CkaId cka_id{};
        random.Fill(uuid);
        random.Fill(cka_id);
        const KeyId key_id = KeyId::FromRandom(uuid);
        token.PutKey(cka_id, value);
        const std::string check =
            Digest(EVP_sha256(), Hmac(row.spec, value, pkcs11::kCheckValueText));
        KeyCheckValue check_value{};
        std::copy_n(AsBytes(check).begin(), check_value.size(), check_value.begin());
        writes.push_back(Put(KeyRecord{
            .id = key_id, .account = *AccountId::Parse(TestDaemon::kAccount), .spec = row.spec}));
        writes.push_back(Put(MaterialRecord{.key_id = key_id, .check_value = check_value}));
        writes.push_back(Put(BindingRecord{.key_id = key_id,
                                           .token_id = "main",
                                           .cka_id = cka_id,
                                           .state = BindingState::kReady}));
        key_ids_.emplace(std::pair(row.spec, std::string(one.name)), key_id.ToString());
      }
    }
    auto store = store::SqliteStore::Open(daemon_.home() / "store", {"aws", "us-west-2"}, random);
    if (!store || !(*store)->Commit(writes)) std::abort();
  }

  TestDaemon daemon_;
  std::map<std::pair<KeySpec, std::string>, std::string> key_ids_;
};

World& SharedWorld() {
  static World world;
  return world;
}

class Rfc4231Test : public ::testing::TestWithParam<std::tuple<KeySpecRow, Rfc4231Case>> {
 protected:
  const KeySpec spec_ = std::get<0>(GetParam()).spec;
  const Rfc4231Case& case_ = std::get<1>(GetParam());
  const std::string published_ = case_.macs[static_cast<std::size_t>(spec_)];
  const std::string mac_ = Hmac(spec_, case_.key, case_.data);
};

TEST_P(Rfc4231Test, OpensslAgreesWithThePublishedMac) {
  EXPECT_EQ(ToHex(AsBytes(mac_)).substr(0, published_.size()), published_);
}

TEST_P(Rfc4231Test, TheTokenMakesThePublishedMac) {
  World& world = SharedWorld();
  const MacAnswer answer =
      GenerateMac(world.client(), MacRequest(world.KeyFor(spec_, case_), case_.data, spec_));
  ASSERT_TRUE(answer.outcome.ok()) << answer.outcome;
  EXPECT_EQ(answer.mac.size(), Row(spec_).mac_bytes);
  EXPECT_EQ(ToHex(AsBytes(answer.mac)).substr(0, published_.size()), published_);
}

TEST_P(Rfc4231Test, TheFullMacIsVerified) {
  World& world = SharedWorld();
  const Outcome outcome =
      VerifyMac(world.client(), MacRequest(world.KeyFor(spec_, case_), case_.data, spec_), mac_);
  EXPECT_TRUE(outcome.ok()) << outcome;
}

TEST_P(Rfc4231Test, AMacWithOneBitTurnedIsRefused) {
  World& world = SharedWorld();
  std::string wrong = mac_;
  wrong.back() = static_cast<char>(wrong.back() ^ 1);
  const Outcome outcome =
      VerifyMac(world.client(), MacRequest(world.KeyFor(spec_, case_), case_.data, spec_), wrong);
  EXPECT_EQ(outcome.exception, "KMSInvalidMacException") << outcome;
}

TEST_P(Rfc4231Test, ATruncatedMacIsRefused) {
  World& world = SharedWorld();
  const Outcome outcome =
      VerifyMac(world.client(), MacRequest(world.KeyFor(spec_, case_), case_.data, spec_),
                mac_.substr(0, 16));
  EXPECT_EQ(outcome.exception, "KMSInvalidMacException") << outcome;
}

INSTANTIATE_TEST_SUITE_P(EveryHash, Rfc4231Test,
                         ::testing::Combine(::testing::ValuesIn(kKeySpecs),
                                            ::testing::ValuesIn(Rfc4231Cases())),
                         [](const auto& one) {
                           return std::string(std::get<0>(one.param).name) +
                                  std::get<1>(one.param).name;
                         });

}  // namespace
}  // namespace hallmark::testing
