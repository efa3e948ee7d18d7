// Policies of a given size, for the measurements of authorization.
#pragma once

#include <string>

namespace hallmark::testing {

// An identity policy of `count` statements as they are written for services: a list of actions, a
// resource, conditions. Only the last one allows GenerateMac on the test key.
inline std::string IdentityPolicyOf(int count) {
  std::string document = R"({"Version":"2012-10-17","Statement":[)";
  for (int i = 1; i < count; ++i) {
    const std::string number = std::to_string(i);
    document +=
        R"({"Sid":"Team)" + number +
        R"(","Effect":"Allow","Action":["kms:GenerateMac","kms:VerifyMac","kms:Describe*"],)"
        R"("Resource":"arn:aws:kms:us-west-2:111122223333:key/x)" +
        number + R"(*","Condition":{"StringEquals":{"kms:MacAlgorithm":"HMAC_SHA_256"}}},)";
  }
  return document +
         R"({"Sid":"Last","Effect":"Allow","Action":"kms:GenerateMac","Resource":"*","Condition":{)"
         R"("StringEquals":{"kms:MacAlgorithm":["HMAC_SHA_256","HMAC_SHA_384"]},)"
         R"("StringLike":{"kms:RequestAlias":"alias/app*"},)"
         R"("Bool":{"aws:SecureTransport":"true"},)"
         R"("IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]},)"
         R"("DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}}]})";
}

// The largest one that is not longer than `bytes`.
inline std::string IdentityPolicyUpTo(std::size_t bytes) {
  int count = 1;
  while (IdentityPolicyOf(count + 1).size() <= bytes) ++count;
  return IdentityPolicyOf(count);
}

// A key policy of `count` statements, each of which must be looked at down to its condition, and
// none of which holds for calls without an alias.
inline std::string KeyPolicyOf(int count) {
  std::string document = R"({"Version":"2012-10-17","Statement":[)";
  for (int i = 0; i < count; ++i) {
    document +=
        std::string(i == 0 ? "" : ",") +
        R"({"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:root","444455556666"]},)"
        R"("Action":["kms:GenerateMac","kms:VerifyMac"],"Resource":"*","Condition":{)"
        R"("StringEquals":{"kms:MacAlgorithm":"HMAC_SHA_256"},)"
        R"("StringLike":{"kms:RequestAlias":"alias/team-)" +
        std::to_string(i) + R"(-*"}}})";
  }
  return document + "]}";
}

}  // namespace hallmark::testing
