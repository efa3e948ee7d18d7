// Debian's AWS CLI manages keys: their life, names, tags and policies.
#include "tests/clients/aws/aws_service.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

using nlohmann::json;
using ::testing::MatchesRegex;

class AwsCliKeyTest : public ::testing::Test {
 protected:
  json Aws(const std::string& command) { return service_.Aws("kms " + command); }
  void ExpectRefused(const std::string& command, const std::string& errors) {
    const Finished refused = service_.Shell("aws kms " + command);
    EXPECT_EQ(refused.exit_code, 254) << command;
    EXPECT_EQ(refused.output, "") << command;
    EXPECT_EQ(refused.errors, errors) << command;
  }
  std::string NewKey() { return CreateKey(service_.admin()); }
  // What the CLI shows of a key that NewKey made.
  json Metadata(const std::string& id, const std::string& state) {
    return {{"AWSAccountId", "111122223333"},
            {"KeyId", id},
            {"Arn", AwsService::Arn(id)},
            {"CreationDate", CreationDate(id)},
            {"Enabled", state == "Enabled"},
            {"Description", ""},
            {"KeyUsage", "GENERATE_VERIFY_MAC"},
            {"KeyState", state},
            {"Origin", "AWS_KMS"},
            {"KeyManager", "CUSTOMER"},
            {"CustomerMasterKeySpec", "HMAC_256"},
            {"KeySpec", "HMAC_256"},
            {"MultiRegion", false},
            {"MacAlgorithms", {"HMAC_SHA_256"}}};
  }
  // As Python writes dates, from what gRPC answers.
  std::string CreationDate(const std::string& id) {
    v1::DescribeKeyRequest request;
    request.set_key_id(id);
    v1::DescribeKeyResponse response;
    const Outcome described =
        service_.admin().Call(&v1::KeyService::Stub::DescribeKey, request, &response);
    EXPECT_TRUE(described.ok()) << described;
    return PythonTime(response.key_metadata().creation_date());
  }

  // "2026-11-22T23:56:55.564000+00:00"; without the fraction if there is none.
  static std::string PythonTime(const google::protobuf::Timestamp& time) {
    google::protobuf::Timestamp seconds = time;
    seconds.set_nanos(0);
    std::string text = google::protobuf::util::TimeUtil::ToString(seconds);  // ends with Z
    text.pop_back();
    if (time.nanos() != 0) {
      const std::string micros = std::to_string(time.nanos() / 1000);
      text += "." + std::string(6 - micros.size(), '0') + micros;
    }
    return text + "+00:00";
  }

  AwsService& service_ = AwsService::Shared();
};

TEST_F(AwsCliKeyTest, CreatesAndDescribesAKey) {
  const json created =
      Aws("create-key --key-spec HMAC_384 --key-usage GENERATE_VERIFY_MAC --description 'of the "
          "CLI' --tags TagKey=team,TagValue=orders TagKey=empty,TagValue=");
  ASSERT_TRUE(created.contains("KeyMetadata")) << created;
  const std::string id = created.at("KeyMetadata").at("KeyId");
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"));
  json expected = Metadata(id, "Enabled");
  expected["Description"] = "of the CLI";
  expected["KeySpec"] = expected["CustomerMasterKeySpec"] = "HMAC_384";
  expected["MacAlgorithms"] = {"HMAC_SHA_384"};
  EXPECT_EQ(created.at("KeyMetadata"), expected);
  EXPECT_EQ(Aws("describe-key --key-id " + id), created);

  json tags = Aws("list-resource-tags --key-id " + id).at("Tags");
  std::sort(tags.begin(), tags.end());
  EXPECT_EQ(tags, json({{{"TagKey", "empty"}, {"TagValue", ""}},
                        {{"TagKey", "team"}, {"TagValue", "orders"}}}));
}

TEST_F(AwsCliKeyTest, IsToldWhatAKeyMustBeFor) {
  ExpectRefused("create-key --key-spec HMAC_256",
                CliRefusal("ValidationException", "CreateKey",
                           "You must specify a KeyUsage value for all KMS keys except for "
                           "symmetric encryption keys."));
}

TEST_F(AwsCliKeyTest, ListsKeysPageByPage) {
  for (int i = 0; i < 3; ++i) static_cast<void>(NewKey());
  const std::vector<std::string> keys = ListKeys(service_.admin());
  json expected = json::array();
  for (const std::string& id : keys) {
    expected.push_back({{"KeyId", id}, {"KeyArn", AwsService::Arn(id)}});
  }
  const int before = service_.Recorded("ListKeys");
  EXPECT_EQ(Aws("list-keys --page-size 2"), json({{"Keys", expected}}));
  EXPECT_EQ(service_.Recorded("ListKeys") - before, static_cast<int>((keys.size() + 1) / 2));

  json first = Aws("list-keys --max-items 2");
  const std::string rest = first.at("NextToken");
  EXPECT_EQ(first.at("Keys"), json(expected.begin(), expected.begin() + 2));
  EXPECT_EQ(Aws("list-keys --starting-token " + rest),
            json({{"Keys", json(expected.begin() + 2, expected.end())}}));
}

TEST_F(AwsCliKeyTest, NamesAKeyAndMovesTheNameToAnother) {
  const std::string first = NewKey();
  const std::string second = NewKey();
  EXPECT_EQ(Aws("create-alias --alias-name alias/cli-name --target-key-id " + first), nullptr);
  ExpectRefused("create-alias --alias-name alias/cli-name --target-key-id " + second,
                CliRefusal("AlreadyExistsException", "CreateAlias",
                           "An alias with the name arn:aws:kms:us-west-2:111122223333:alias/"
                           "cli-name already exists"));
  EXPECT_EQ(Aws("update-alias --alias-name alias/cli-name --target-key-id " + second), nullptr);

  EXPECT_EQ(Aws("list-aliases --key-id " + first), json({{"Aliases", json::array()}}));
  json aliases = Aws("list-aliases --key-id " + second).at("Aliases");
  ASSERT_EQ(aliases.size(), 1u);
  for (const char* date : {"CreationDate", "LastUpdatedDate"}) {
    EXPECT_THAT(aliases[0].value(date, ""),
                MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\\.[0-9]{6})?\\+00:00"));
    aliases[0].erase(date);
  }
  EXPECT_EQ(aliases[0], json({{"AliasName", "alias/cli-name"},
                              {"AliasArn", "arn:aws:kms:us-west-2:111122223333:alias/cli-name"},
                              {"TargetKeyId", second}}));

  EXPECT_EQ(Aws("delete-alias --alias-name alias/cli-name"), nullptr);
  ExpectRefused("describe-key --key-id alias/cli-name",
                CliRefusal("NotFoundException", "DescribeKey",
                           "Alias arn:aws:kms:us-west-2:111122223333:alias/cli-name is not "
                           "found."));
}

TEST_F(AwsCliKeyTest, TakesNoAliasWhereKmsTakesNone) {
  service_.CreateAlias("alias/cli-taken", NewKey());
  ExpectRefused("disable-key --key-id alias/cli-taken",
                CliRefusal("InvalidArnException", "DisableKey",
                           "Key Aliases are not supported for this operation."));
}

TEST_F(AwsCliKeyTest, TagsAndUntagsAKey) {
  const std::string key = NewKey();
  const std::string list = "list-resource-tags --key-id " + key;
  EXPECT_EQ(Aws("tag-resource --key-id " + key +
                " --tags TagKey=team,TagValue=orders TagKey=stage,TagValue=test"),
            nullptr);
  EXPECT_EQ(Aws("tag-resource --key-id " + key + " --tags TagKey=team,TagValue=billing"), nullptr);
  EXPECT_EQ(Aws("untag-resource --key-id " + key + " --tag-keys stage"), nullptr);
  EXPECT_EQ(Aws(list), json({{"Tags", {{{"TagKey", "team"}, {"TagValue", "billing"}}}}}));
}

TEST_F(AwsCliKeyTest, DisablesAndEnablesAKey) {
  const std::string key = NewKey();
  const std::string describe = "describe-key --key-id " + key;
  EXPECT_EQ(Aws("disable-key --key-id " + key), nullptr);
  EXPECT_EQ(Aws(describe), json({{"KeyMetadata", Metadata(key, "Disabled")}}));
  EXPECT_EQ(Aws("enable-key --key-id " + key), nullptr);
  EXPECT_EQ(Aws(describe), json({{"KeyMetadata", Metadata(key, "Enabled")}}));
}

TEST_F(AwsCliKeyTest, SchedulesADeletionAndCancelsIt) {
  const std::string key = NewKey();
  const std::string describe = "describe-key --key-id " + key;
  const json scheduled = Aws("schedule-key-deletion --pending-window-in-days 7 --key-id " + key);
  const std::string deletion = scheduled.value("DeletionDate", "");
  EXPECT_EQ(scheduled, json({{"KeyId", AwsService::Arn(key)},
                             {"DeletionDate", deletion},
                             {"KeyState", "PendingDeletion"},
                             {"PendingWindowInDays", 7}}));
  json pending = Metadata(key, "PendingDeletion");
  pending["DeletionDate"] = deletion;
  EXPECT_EQ(Aws(describe), json({{"KeyMetadata", pending}}));
  ExpectRefused("schedule-key-deletion --key-id " + key,
                CliRefusal("KMSInvalidStateException", "ScheduleKeyDeletion",
                           AwsService::Arn(key) + " is pending deletion."));

  EXPECT_EQ(Aws("cancel-key-deletion --key-id " + key), json({{"KeyId", AwsService::Arn(key)}}));
  EXPECT_EQ(Aws(describe), json({{"KeyMetadata", Metadata(key, "Disabled")}}));
}

TEST_F(AwsCliKeyTest, ReadsAndReplacesTheKeyPolicy) {
  const std::string key = NewKey();
  const std::string get =
      "aws kms get-key-policy --policy-name default --output text --query Policy --key-id " + key;
  const Finished first = service_.Shell(get);
  EXPECT_EQ(first.exit_code, 0) << first.errors;
  EXPECT_EQ(first.output, R"({
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::111122223333:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}
)");
  EXPECT_EQ(Aws("list-key-policies --key-id " + key), json({{"PolicyNames", {"default"}}}));

  const json policy = {
      {"Version", "2012-10-17"},
      {"Id", "of the CLI"},
      {"Statement",
       {{{"Sid", "account"},
         {"Effect", "Allow"},
         {"Principal", {{"AWS", "arn:aws:iam::111122223333:root"}}},
         {"Action", "kms:*"},
         {"Resource", "*"}}}},
  };
  WriteFile(service_.folder() / "policy.json", policy.dump());
  EXPECT_EQ(Aws("put-key-policy --policy-name default --policy file://policy.json --key-id " + key),
            nullptr);
  const Finished second = service_.Shell(get);
  EXPECT_EQ(second.exit_code, 0) << second.errors;
  EXPECT_EQ(json::parse(second.output, nullptr, false), policy);
}

}  // namespace
}  // namespace hallmark::testing
