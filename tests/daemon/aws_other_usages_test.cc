// Operations of KMS that no HMAC key serves, as clients of the AWS front see them refused.
#include "tests/daemon/aws_fixture.h"

#include <string>

namespace hallmark::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kNoKey = "1234abcd-12ab-34cd-56ef-1234567890ab";

std::string Naming(const std::string& key) { return R"({"KeyId":")" + key + "\"}"; }

class AwsOtherUsagesTest : public AwsFixture {
 protected:
  static void SetUpTestSuite() {
    AwsFixture::SetUpTestSuite();
    nobody_ = daemon_->AddPrincipal("arn:aws:iam::111122223333:user/Nobody", "").access_key;
  }

  inline static AccessKey nobody_;
};

// By name and not by key, so that a caller learns the same of a key that exists and of one that
// does not.
TEST_F(AwsOtherUsagesTest, OperationsThatHallmarkHasForNoKeyAreRefusedAlikeWithAndWithoutOne) {
  struct Row {
    const char* operation;
    const char* ending;  // of the message, after the operation's name
  };
  constexpr const char* kOneRegion = " is not supported: keys of Hallmark belong to one Region.";
  constexpr const char* kOwnTokens =
      " is not supported: the tokens that hold Hallmark's keys are configured by its operator.";
  const Row rows[] = {
      {"ReplicateKey", kOneRegion},
      {"UpdatePrimaryRegion", kOneRegion},
      {"ConnectCustomKeyStore", kOwnTokens},
      {"CreateCustomKeyStore", kOwnTokens},
      {"DeleteCustomKeyStore", kOwnTokens},
      {"DescribeCustomKeyStores", kOwnTokens},
      {"DisconnectCustomKeyStore", kOwnTokens},
      {"UpdateCustomKeyStore", kOwnTokens},
  };
  for (const Row& row : rows) {
    for (const std::string& body : {Naming(key_), Naming(kNoKey), std::string("{}")}) {
      const ReceivedAnswer answer = Call(row.operation, body);
      EXPECT_EQ(TypeOf(answer), "UnsupportedOperationException") << row.operation;
      EXPECT_EQ(MessageOf(answer), row.operation + std::string(row.ending));
    }
  }
}

constexpr const char* kOtherUsages[] = {"DeriveSharedSecret",
                                        "Encapsulate",
                                        "Encrypt",
                                        "GenerateDataKey",
                                        "GenerateDataKeyPair",
                                        "GenerateDataKeyPairWithoutPlaintext",
                                        "GenerateDataKeyWithoutPlaintext",
                                        "Decapsulate",
                                        "Sign",
                                        "Verify"};

TEST_F(AwsOtherUsagesTest, WhatKeysOfOtherUsagesDoIsRefusedAsKmsRefusesIt) {
  const std::string arn = "arn:aws:kms:us-west-2:111122223333:key/" + key_;
  for (const std::string operation : kOtherUsages) {
    const ReceivedAnswer answer = Call(operation, Naming(key_));
    EXPECT_EQ(TypeOf(answer), "InvalidKeyUsageException") << operation;
    EXPECT_EQ(MessageOf(answer),
              arn + " key usage is GENERATE_VERIFY_MAC which is not valid for " + operation + ".");
    EXPECT_EQ(
        MessageOf(Call(operation, Naming(kNoKey))),
        std::string("Key 'arn:aws:kms:us-west-2:111122223333:key/") + kNoKey + "' does not exist");
    EXPECT_EQ(TypeOf(Call(operation, "{}")), "ValidationException");
    const ReceivedAnswer denied = Send(SignedPost(nobody_, operation, Naming(key_)));
    EXPECT_EQ(TypeOf(denied), "AccessDeniedException") << operation;
    EXPECT_THAT(MessageOf(denied), HasSubstr("kms:" + operation));
  }
  EXPECT_EQ(Call("GetPublicKey", Naming(key_)).body,
            R"({"__type":"UnsupportedOperationException"})");
  EXPECT_EQ(MessageOf(Call("ReEncrypt", R"({"DestinationKeyId":")" + key_ + "\"}")),
            arn + " key usage is GENERATE_VERIFY_MAC which is not valid for ReEncrypt.");
}

TEST_F(AwsOtherUsagesTest, ACiphertextIsOfNoHmacKey) {
  constexpr const char* kText =
      "The key ID in the request does not identify a CMK that can perform this operation.";
  for (const ReceivedAnswer& answer :
       {Call("Decrypt", Naming(key_)),
        Call("ReEncrypt",
             R"({"SourceKeyId":")" + key_ + R"(","DestinationKeyId":")" + key_ + "\"}")}) {
    EXPECT_EQ(TypeOf(answer), "IncorrectKeyException");
    EXPECT_EQ(MessageOf(answer), kText);
  }
  EXPECT_EQ(Call("Decrypt", "{}").body, R"({"__type":"InvalidCiphertextException"})");
}

TEST_F(AwsOtherUsagesTest, TheStateOfAKeyIsToldBeforeItsUsage) {
  const std::string key = CreateKey(daemon_->admin());
  ASSERT_EQ(Call("DisableKey", Naming(key)).status, 200);
  EXPECT_EQ(TypeOf(Call("Sign", Naming(key))), "DisabledException");
  EXPECT_EQ(TypeOf(Call("Decrypt", Naming(key))), "DisabledException");
  EXPECT_EQ(TypeOf(Call("GetPublicKey", Naming(key))), "DisabledException");
}

}  // namespace
}  // namespace hallmark::testing
