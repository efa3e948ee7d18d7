// A request in which every condition key has a value, and whether a condition is met by it.
#pragma once

#include "tests/keystate/policy/policy_world.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::testing {

class TestAliases : public ResourceAliases {
 public:
  explicit TestAliases(std::vector<std::string> names) : names_(std::move(names)) {}
  std::vector<std::string> Names() const override { return names_; }

 private:
  std::vector<std::string> names_;
};

// A request context in which every key has a value.
inline const std::vector<Operation> kGranted{Operation::kGenerateMac, Operation::kVerifyMac};
inline const std::vector<std::string> kSentTagKeys{"team", "cost"};
inline const std::vector<TestTag> kSentTags{{"team", "blue"}};
inline const std::vector<TestTag> kKeyTags{{"team", "red"}, {"Stage", "prod"}, {"stage", "test"}};
inline const TestAliases kFewAliases({"alias/app", "alias/app-2"});
inline const TestAliases kTooManyAliases(std::vector<std::string>(51, "alias/app"));

inline RequestContext Full() {
  RequestContext context;
  context.mac_algorithm = MacAlgorithm::kHmacSha256;
  context.request_alias = "alias/app";
  context.bypass_policy_lockout_safety_check = true;
  context.pending_window_days = 7;
  context.grant_operations = ValueList(kGranted);
  context.grantee_principal = "arn:aws:iam::111122223333:role/signer";
  context.retiring_principal = "arn:aws:iam::111122223333:user/carol";
  context.grant_constraint_type = "EncryptionContextSubset";
  context.grant_is_for_aws_resource = false;
  context.expiration_model = "KEY_MATERIAL_EXPIRES";
  context.valid_to = WallTime(std::chrono::seconds(1'795'348'800));  // 2026-11-22T12:00:00Z
  context.wrapping_algorithm = "RSAES_OAEP_SHA_256";
  context.wrapping_key_spec = "RSA_4096";
  context.request_tags = TagList(kSentTags);
  context.tag_keys = ValueList(kSentTagKeys);
  context.key_spec = KeySpec::kHmac256;
  context.key_usage = KeyUsage::kGenerateVerifyMac;
  context.key_origin = Origin::kExternal;
  context.multi_region = true;
  context.multi_region_key_type = "PRIMARY";
  context.resource_tags = TagList(kKeyTags);
  context.resource_aliases = &kFewAliases;
  context.via_service = "sns.us-west-2.amazonaws.com";
  context.source_arn = "arn:aws:sns:us-west-2:111122223333:topic";
  context.source_ip = "192.0.2.9";
  context.requested_region = "us-west-2";
  context.user_agent = "hallmark/1";
  context.current_time = WallTime(std::chrono::milliseconds(1'795'348'800'500));
  context.secure_transport = true;
  return context;
}

inline const std::string kKeyPolicy =
    R"({"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"*","Resource":"*"})";

// Whether an Allow of a policy of this kind, with this Condition element, matches.
inline bool Matches(const std::string& condition, World world,
                    PolicyKind kind = PolicyKind::kIdentity) {
  const std::string allow =
      R"("Effect":"Allow","Action":"*","Resource":"*","Condition":)" + condition;
  if (kind == PolicyKind::kKey) {
    world.key = R"({"Principal":"*",)" + allow + "}";
  } else {
    world.identity = "{" + allow + "}";
    world.key = kKeyPolicy;
  }
  return Decide(world).starts_with("allowed");
}

}  // namespace hallmark::testing
