// A client of the AWS KMS protocol that shares no code with the daemon: it signs by what the IAM
// user guide says, with OpenSSL alone, so that what both agree on is not one mistake made twice.
#pragma once

#include "tests/support/tls_client.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hallmark::testing {

struct AccessKey {
  std::string id;
  std::string secret;
};

// What a signed request may have otherwise than it should.
struct Signing {
  std::string host = "localhost";
  std::string region = "us-west-2";
  std::string service = "kms";
  // Of the clock.
  std::chrono::seconds off{0};
  // Is sent and not signed.
  bool sign_target = true;
};

// The whole text of `POST /` for an operation of KMS in us-west-2, signed now. No two are alike: an
// SDK's invocation id is among the signed headers.
std::string SignedPost(const AccessKey& access_key, std::string_view operation,
                       std::string_view body, std::string_view host = "localhost");
std::string SignedPost(const AccessKey& access_key, std::string_view operation,
                       std::string_view body, const Signing& signing);

// Calls over one connection, which is made anew when the daemon has ended it.
class AwsClient {
 public:
  AwsClient(std::uint16_t port, std::string ca_pem, AccessKey access_key)
      : port_(port), ca_pem_(std::move(ca_pem)), access_key_(std::move(access_key)) {}

  // Aborts the test binary if there is no answer at all.
  ReceivedAnswer Call(std::string_view operation, std::string_view body);

  const AccessKey& access_key() const { return access_key_; }

 private:
  std::uint16_t port_;
  std::string ca_pem_;
  AccessKey access_key_;
  std::unique_ptr<TlsClient> connection_;
};

}  // namespace hallmark::testing
