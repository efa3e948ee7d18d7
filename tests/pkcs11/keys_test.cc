// Keys on the token: making, destroying and using them.
#include "pkcs11/check_value.h"
#include "tests/pkcs11/opened_token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <string>

namespace hallmark::pkcs11 {
namespace {

using ::testing::HasSubstr;

struct HashRow {
  KeySpec spec;
  const EVP_MD* (*hash)();
};
constexpr std::array<HashRow, 4> kHashes{{{KeySpec::kHmac224, EVP_sha224},
                                          {KeySpec::kHmac256, EVP_sha256},
                                          {KeySpec::kHmac384, EVP_sha384},
                                          {KeySpec::kHmac512, EVP_sha512}}};

Bytes Digest(const EVP_MD* hash, ByteView data) {
  Bytes digest(static_cast<std::size_t>(EVP_MD_get_size(hash)));
  EXPECT_EQ(EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(digest.data()),
                       nullptr, hash, nullptr),
            1);
  return digest;
}

Bytes ReferenceMac(const EVP_MD* hash, ByteView key, ByteView message) {
  Bytes tag(static_cast<std::size_t>(EVP_MD_get_size(hash)));
  unsigned int size = 0;
  EXPECT_NE(HMAC(hash, key.data(), static_cast<int>(key.size()),
                 reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                 reinterpret_cast<unsigned char*>(tag.data()), &size),
            nullptr);
  return tag;
}

class KeysTest : public OpenedTokenTest {
 protected:
  // A key of a known value, as if it had been made by us before.
  MacKey Import(const HashRow& row, ByteView value) {
    const CkaId id = RandomId();
    TestSession(token_).CreateKey(id, value);
    return {id, row.spec, [&] {
              KeyCheckValue check_value;
              const Bytes digest =
                  Digest(EVP_sha256(), ReferenceMac(row.hash(), value, AsBytes(kCheckValueText)));
              std::copy(digest.begin(), digest.end(), check_value.begin());
              return check_value;
            }()};
  }
};

// RFC 4231, cases 1-7. Tokens want keys of the spec's own size, so keys are brought to it by HMAC's
// own rule (zeros after, or the digest of what is longer than a block), which changes no tag.
struct Rfc4231Case {
  std::string key;
  std::string data;
};
std::vector<Rfc4231Case> Rfc4231() {
  std::string counting;
  for (char c = 1; c <= 25; ++c) counting.push_back(c);
  return {
      {std::string(20, '\x0b'), "Hi There"},
      {"Jefe", "what do ya want for nothing?"},
      {std::string(20, '\xaa'), std::string(50, '\xdd')},
      {counting, std::string(50, '\xcd')},
      {std::string(20, '\x0c'), "Test With Truncation"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"},
      {std::string(131, '\xaa'),
       "This is a test using a larger than block-size key and a larger than block-size data. The "
       "key "
       "needs to be hashed before being used by the HMAC algorithm."},
  };
}

TEST_F(KeysTest, ComputesWhatRfc4231Says) {
  // Published tags of case 1, so that the reference below is itself checked.
  const std::array<const char*, 4> first_case{
      "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa"
      "9cb6",
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3"
      "f4e4"
      "be9d914eeb61f1702e696c203a126854"};
  for (std::size_t i = 0; i < kHashes.size(); ++i) {
    const HashRow& row = kHashes[i];
    const std::size_t block = row.spec <= KeySpec::kHmac256 ? 64 : 128;
    std::vector<std::pair<MacKey, Rfc4231Case>> imported;
    for (const Rfc4231Case& vector : Rfc4231()) {
      Bytes key(AsBytes(vector.key).begin(), AsBytes(vector.key).end());
      if (key.size() > block) key = Digest(row.hash(), key);
      key.resize(std::max(key.size(), Row(row.spec).key_bytes));
      imported.emplace_back(Import(row, key), vector);
    }
    Reopen({});
    for (const auto& [key, vector] : imported) {
      const Result<MacTag> tag = Mac(key, vector.data);
      ASSERT_THAT(tag, IsOk());
      EXPECT_EQ(ToHex(tag->bytes()),
                ToHex(ReferenceMac(row.hash(), AsBytes(vector.key), AsBytes(vector.data))));
      if (vector.data == "Hi There") {
        EXPECT_EQ(ToHex(tag->bytes()), first_case[i]);
      }
    }
  }
}

TEST_F(KeysTest, MakesKeysThatCanOnlyMakeMacs) {
  for (const KeySpecRow& row : kKeySpecs) {
    const MacKey key = Generate(row.spec);
    const TestSession session(token_);
    const auto found = session.Find(key.cka_id);
    ASSERT_EQ(found.size(), 1u);
    for (const CK_ATTRIBUTE_TYPE yes : {CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_SIGN, CKA_VERIFY,
                                        CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL}) {
      EXPECT_TRUE(session.Flag(found[0], yes)) << yes;
    }
    for (const CK_ATTRIBUTE_TYPE no : {CKA_EXTRACTABLE, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP,
                                       CKA_UNWRAP, CKA_DERIVE, CKA_MODIFIABLE}) {
      EXPECT_FALSE(session.Flag(found[0], no)) << no;
    }
    const Result<MacTag> tag = Mac(key);
    ASSERT_THAT(tag, IsOk());
    EXPECT_EQ(tag->bytes().size(), row.mac_bytes);
  }
}

TEST_F(KeysTest, MakesModifiableKeysWhereCopiesAreWanted) {
  Reopen([](TokenOptions& options) { options.key_copies = true; });
  const MacKey key = Generate();
  const TestSession session(token_);
  EXPECT_TRUE(session.Flag(session.Find(key.cka_id).at(0), CKA_MODIFIABLE));
}

TEST_F(KeysTest, DestroysAndRefusesAKeyWeakerThanAsked) {
  struct Weakness {
    CK_ATTRIBUTE_TYPE type;
    const char* name;
  };
  for (const Weakness& weakness :
       {Weakness{CKA_EXTRACTABLE, "CKA_EXTRACTABLE"}, Weakness{CKA_SENSITIVE, "CKA_SENSITIVE"},
        Weakness{CKA_WRAP, "CKA_WRAP"}, Weakness{CKA_DERIVE, "CKA_DERIVE"},
        Weakness{CKA_MODIFIABLE, "CKA_MODIFIABLE"}}) {
    FaultList::Arm({.function = "C_GenerateKey", .flip = weakness.type});
    const CkaId id = RandomId();
    const Result<GeneratedKey> key = hsm_->GenerateKey(id, KeySpec::kHmac256, In(kLong));
    ASSERT_THAT(key, Raises(Exception::kDependencyTimeoutException));
    EXPECT_THAT(key.error().detail, HasSubstr(weakness.name));
    EXPECT_TRUE(TestSession(token_).Find(id).empty());
    EXPECT_THAT(hsm_->ListKeys(), ::testing::IsEmpty());
  }
}

TEST_F(KeysTest, KeepsServingKeysAfterReopening) {
  const MacKey key = Generate();
  const Result<MacTag> before = Mac(key);
  ASSERT_THAT(before, IsOk());
  Reopen({});
  const Result<MacTag> after = Mac(key);
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(ToHex(before->bytes()), ToHex(after->bytes()));
}

TEST_F(KeysTest, ListsKeysButNotTheAnchor) {
  EXPECT_TRUE(hsm_->ListKeys().empty());
  const MacKey key = Generate();
  EXPECT_THAT(hsm_->ListKeys(),
              ::testing::ElementsAre(Bytes(key.cka_id.begin(), key.cka_id.end())));
}

TEST_F(KeysTest, ListsWhatCannotBeOursWithoutTouchingIt) {
  const Bytes short_id{std::byte{0xab}, std::byte{0xcd}};
  {
    const TestSession session(token_);
    session.CreateKey(short_id, Bytes(32, std::byte{1}));
    session.CreateKey({}, Bytes(32, std::byte{2}));
    session.CreateKey({}, Bytes(32, std::byte{3}));
  }
  const MacKey key = Generate();
  Reopen({});
  EXPECT_THAT(hsm_->ListKeys(),
              ::testing::UnorderedElementsAre(Bytes(key.cka_id.begin(), key.cka_id.end()), short_id,
                                              Bytes(), Bytes()));
  EXPECT_THAT(Mac(key), IsOk());
  EXPECT_EQ(events_.Count(Severity::kAlarm, ""), 0);
}

TEST_F(KeysTest, DestroysAKeyAndToleratesThatThereIsNone) {
  const MacKey key = Generate();
  EXPECT_THAT(hsm_->DestroyKey(key.cka_id, In(kLong)), IsOk());
  EXPECT_TRUE(TestSession(token_).Find(key.cka_id).empty());
  EXPECT_THAT(hsm_->DestroyKey(key.cka_id, In(kLong)), IsOk());
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  EXPECT_TRUE(hsm_->ListKeys().empty());
}

TEST_F(KeysTest, NeverDestroysOrServesTheAnchor) {
  EXPECT_THAT(hsm_->DestroyKey(anchor_.anchor_cka_id, In(kLong)),
              Raises(Exception::kKMSInternalException));
  EXPECT_THAT(Mac({anchor_.anchor_cka_id, KeySpec::kHmac256, anchor_.anchor_check_value}),
              Raises(Exception::kKeyUnavailableException));
}

TEST_F(KeysTest, NeitherUsesNorDestroysOneOfTwoKeysWithTheSameId) {
  const MacKey key = Generate();
  TestSession(token_).CreateKey(key.cka_id, Bytes(32, std::byte{7}));
  Reopen({});
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(events_.Count(Severity::kAlarm, "more than once"), 1);
  EXPECT_THAT(hsm_->DestroyKey(key.cka_id, In(kLong)), Raises(Exception::kKMSInternalException));
  EXPECT_EQ(TestSession(token_).Find(key.cka_id).size(), 2u);
}

TEST_F(KeysTest, RaisesAnAlarmInsteadOfAMacWhenAKeyWasSwapped) {
  const MacKey swapped = Generate();
  const MacKey other = Generate();
  ASSERT_THAT(Mac(swapped), IsOk());
  {
    const TestSession session(token_);
    session.Destroy(swapped.cka_id);
    session.CreateKey(swapped.cka_id, Bytes(32, std::byte{9}));
  }
  EXPECT_THAT(Mac(swapped), Raises(Exception::kKeyUnavailableException));
  EXPECT_THAT(Mac(swapped), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(events_.Count(Severity::kAlarm, "swapped"), 1);
  EXPECT_THAT(Mac(other), IsOk());
  EXPECT_TRUE(hsm_->available());
}

TEST_F(KeysTest, NamesTheMechanismThatATokenLacks) {
  FaultList::Arm({.function = "C_GetMechanismInfo", .rv = CKR_MECHANISM_INVALID, .times = 1});
  Reopen({});  // the first one asked for is SHA-224
  const Result<GeneratedKey> key = hsm_->GenerateKey(RandomId(), KeySpec::kHmac224, In(kLong));
  ASSERT_THAT(key, Raises(Exception::kUnsupportedOperationException));
  EXPECT_THAT(key.error().message, HasSubstr("CKM_SHA224_HMAC"));
  EXPECT_THAT(Mac(Generate(KeySpec::kHmac256)), IsOk());
}

TEST_F(KeysTest, DoesNotReportAKeyThatCouldNotBeMadeDurable) {
  Reopen([](TokenOptions& options) { options.sync_path = "/nonexistent"; });
  EXPECT_THAT(hsm_->GenerateKey(RandomId(), KeySpec::kHmac256, In(kLong)),
              Raises(Exception::kDependencyTimeoutException));
}

TEST_F(KeysTest, OpensWhatItSealedAlsoAfterReopening) {
  const std::string sealed = sealer_->Seal("marker", std::string("pay\0load", 8));
  EXPECT_EQ(sealer_->Open("marker", sealed), std::string("pay\0load", 8));
  EXPECT_EQ(sealer_->Open("marker", sealer_->Seal("marker", "")), "");
  Reopen({});
  EXPECT_EQ(sealer_->Open("marker", sealed), std::string("pay\0load", 8));
}

TEST_F(KeysTest, OpensNothingThatWasAlteredOrSealedElsewhere) {
  const std::string sealed = sealer_->Seal("marker", "payload");
  EXPECT_EQ(sealer_->Open("grant", sealed), std::nullopt);
  EXPECT_EQ(sealer_->Open("marker", sealed + "="), std::nullopt);
  EXPECT_EQ(sealer_->Open("marker", ""), std::nullopt);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string altered = sealed;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(sealer_->Open("marker", altered), std::nullopt) << i;
    EXPECT_EQ(sealer_->Open("marker", sealed.substr(0, i)), std::nullopt) << i;
  }
}

TEST_F(KeysTest, DerivesTheSameSecretForTheSameContextOnly) {
  const SecretBytes secret = sealer_->DeriveSecret("a");
  EXPECT_EQ(secret.size(), 32u);
  EXPECT_TRUE(
      EqualInConstantTime(secret.RevealForHsm(), sealer_->DeriveSecret("a").RevealForHsm()));
  EXPECT_FALSE(
      EqualInConstantTime(secret.RevealForHsm(), sealer_->DeriveSecret("b").RevealForHsm()));
}

}  // namespace
}  // namespace hallmark::pkcs11
