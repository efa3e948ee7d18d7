#include "tests/support/aws_client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace hallmark::testing {
namespace {

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += kDigits[value >> 4U];
    text += kDigits[value & 0xfU];
  }
  return text;
}

std::string Sha256Hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
    std::abort();
  }
  return Hex({reinterpret_cast<const char*>(digest.data()), length});
}

std::string Hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(),
           &length) == nullptr) {
    std::abort();
  }
  return {reinterpret_cast<const char*>(mac.data()), length};
}

std::string Now(std::chrono::seconds off) {
  const std::time_t now = std::time(nullptr) + off.count();
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
  return {text.data(), length};
}

std::string NewInvocationId() {
  std::array<unsigned char, 16> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) std::abort();
  return Hex({reinterpret_cast<const char*>(random.data()), random.size()});
}

}  // namespace

std::string SignedPost(const AccessKey& access_key, std::string_view operation,
                       std::string_view body, std::string_view host) {
  return SignedPost(access_key, operation, body, Signing{.host = std::string(host)});
}

std::string SignedPost(const AccessKey& access_key, std::string_view operation,
                       std::string_view body, const Signing& signing) {
  const std::string date = Now(signing.off);
  const std::string day = date.substr(0, 8);
  const std::string invocation = NewInvocationId();
  const std::string target = "TrentService." + std::string(operation);
  const std::string type = "application/x-amz-json-1.1";
  const std::string names = std::string("amz-sdk-invocation-id;content-type;host;x-amz-date") +
                            (signing.sign_target ? ";x-amz-target" : "");

  const std::string canonical = "POST\n/\n\namz-sdk-invocation-id:" + invocation +
                                "\ncontent-type:" + type + "\nhost:" + signing.host +
                                "\nx-amz-date:" + date + "\n" +
                                (signing.sign_target ? "x-amz-target:" + target + "\n" : "") +
                                "\n" + names + "\n" + Sha256Hex(body);
  const std::string scope = day + "/" + signing.region + "/" + signing.service + "/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + Sha256Hex(canonical);
  const std::string key =
      Hmac(Hmac(Hmac(Hmac("AWS4" + access_key.secret, day), signing.region), signing.service),
           "aws4_request");

  return "POST / HTTP/1.1\r\nHost: " + signing.host + "\r\nContent-Type: " + type +
         "\r\nX-Amz-Target: " + target + "\r\nX-Amz-Date: " + date +
         "\r\nAmz-Sdk-Invocation-Id: " + invocation +
         "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + access_key.id + "/" + scope +
         ", SignedHeaders=" + names + ", Signature=" + Hex(Hmac(key, to_sign)) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

ReceivedAnswer AwsClient::Call(std::string_view operation, std::string_view body) {
  // A second time where an idle connection turns out to have ended.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (connection_ == nullptr) {
      connection_ = std::make_unique<TlsClient>(port_, TlsClient::Options{.ca_pem = ca_pem_});
    }
    if (connection_->connected() && connection_->Send(SignedPost(access_key_, operation, body))) {
      if (auto answer = connection_->Receive()) return *answer;
    }
    connection_.reset();
  }
  std::fprintf(stderr, "the AWS front did not answer %.*s\n", static_cast<int>(operation.size()),
               operation.data());
  std::abort();
}

}  // namespace hallmark::testing
