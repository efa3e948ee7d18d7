// Requests for GenerateMac as an SDK of AWS sends them.
#pragma once

#include "service/authn/sigv4.h"
#include "tests/bench/load_report.h"

#include <cstdint>
#include <ctime>
#include <string>

namespace hallmark::bench {

struct AccessKey {
  std::string id;
  std::string secret;
};

// From a credentials file of the AWS CLI, by which no secret is on a command line. Ends the program
// if there is none.
AccessKey ReadAccessKey(const std::string& file, const std::string& profile);

// Signs each request anew. The signing key is derived once a day and the hash of the one body
// computed once, as SDKs cache the first and as the other loads serialize their message once.
class AwsRequests {
 public:
  AwsRequests(const LoadOptions& options, AccessKey access_key);

  // The whole text of the next one, signed now. No two are alike: each has an invocation id of its
  // own among its signed headers. Good until the next call.
  const std::string& Next();

 private:
  // Of another second: everything that has the time in it.
  void SetTime(std::time_t now);
  void SetInvocation();

  const AccessKey access_key_;
  const std::string body_;
  const std::string body_hash_;
  const std::string host_;
  std::time_t time_ = -1;
  std::string date_;   // "20261122T120000Z"
  std::string scope_;  // "20261122/us-west-2/kms/aws4_request"
  authn::Sha256Digest signing_key_{};
  std::uint64_t calls_ = 0;
  std::string invocation_;  // a UUID
  std::string canonical_;
  std::string to_sign_;
  std::string text_;
};

}  // namespace hallmark::bench
