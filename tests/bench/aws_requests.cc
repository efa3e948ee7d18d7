#include "tests/bench/aws_requests.h"

#include "keystate/base64.h"
#include "keystate/bytes.h"

#include <openssl/rand.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <utility>

namespace hallmark::bench {
namespace {

constexpr std::string_view kRegion = "us-west-2";
constexpr std::string_view kContentType = "application/x-amz-json-1.1";
constexpr std::string_view kTarget = "TrentService.GenerateMac";
constexpr std::string_view kAttempt = "attempt=1; max=3";
constexpr std::string_view kSignedHeaders =
    "amz-sdk-invocation-id;amz-sdk-request;content-type;host;x-amz-date;x-amz-target";

std::string HexDigest(std::string_view text) { return ToHex(authn::Sha256(text)); }

// "a = b" apart; both empty if it is not that.
std::pair<std::string, std::string> SplitAssignment(const std::string& line) {
  const auto trimmed = [](std::string_view text) {
    const std::size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
    text.remove_prefix(begin);
    return std::string(text.substr(0, text.find_last_not_of(" \t\r") + 1));
  };
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos) return {};
  return {trimmed(std::string_view(line).substr(0, equals)),
          trimmed(std::string_view(line).substr(equals + 1))};
}

std::uint64_t RandomNumber() {
  std::array<unsigned char, sizeof(std::uint64_t)> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
  std::uint64_t number = 0;
  for (const unsigned char byte : bytes) number = number << 8U | byte;
  return number;
}

}  // namespace

AccessKey ReadAccessKey(const std::string& file, const std::string& profile) {
  AccessKey access_key;
  std::ifstream in(file);
  bool ours = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('[')) ours = line == "[" + profile + "]";
    if (!ours) continue;
    auto [name, value] = SplitAssignment(line);
    if (name == "aws_access_key_id") access_key.id = std::move(value);
    if (name == "aws_secret_access_key") access_key.secret = std::move(value);
  }
  if (access_key.id.empty() || access_key.secret.empty()) {
    std::fprintf(stderr, "%s has no access key of [%s]\n", file.c_str(), profile.c_str());
    std::exit(1);
  }
  return access_key;
}

AwsRequests::AwsRequests(const LoadOptions& options, AccessKey access_key)
    : access_key_(std::move(access_key)),
      body_(R"({"KeyId":")" + options.key_id + R"(","Message":")" +
            EncodeBase64(options.message()) + R"(","MacAlgorithm":"HMAC_SHA_256"})"),
      body_hash_(HexDigest(body_)),
      host_(options.target),
      calls_(RandomNumber()) {}

const std::string& AwsRequests::Next() {
  if (const std::time_t now = std::time(nullptr); now != time_) SetTime(now);
  SetInvocation();
  canonical_.assign("POST\n/\n\namz-sdk-invocation-id:").append(invocation_);
  canonical_.append("\namz-sdk-request:").append(kAttempt);
  canonical_.append("\ncontent-type:").append(kContentType);
  canonical_.append("\nhost:").append(host_);
  canonical_.append("\nx-amz-date:").append(date_);
  canonical_.append("\nx-amz-target:").append(kTarget);
  canonical_.append("\n\n").append(kSignedHeaders).append("\n").append(body_hash_);
  to_sign_.assign("AWS4-HMAC-SHA256\n").append(date_).append("\n").append(scope_);
  to_sign_.append("\n").append(HexDigest(canonical_));

  text_.assign("POST / HTTP/1.1\r\nHost: ").append(host_);
  text_.append("\r\nAccept-Encoding: identity\r\nUser-Agent: bench_aws_load");
  text_.append("\r\nX-Amz-Target: ").append(kTarget);
  text_.append("\r\nContent-Type: ").append(kContentType);
  text_.append("\r\nX-Amz-Date: ").append(date_);
  text_.append("\r\namz-sdk-invocation-id: ").append(invocation_);
  text_.append("\r\namz-sdk-request: ").append(kAttempt);
  text_.append("\r\nAuthorization: AWS4-HMAC-SHA256 Credential=").append(access_key_.id);
  text_.append("/").append(scope_).append(", SignedHeaders=").append(kSignedHeaders);
  text_.append(", Signature=").append(ToHex(authn::HmacSha256(signing_key_, to_sign_)));
  text_.append("\r\nContent-Length: ").append(std::to_string(body_.size()));
  return text_.append("\r\n\r\n").append(body_);
}

void AwsRequests::SetTime(std::time_t now) {
  time_ = now;
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  date_.assign(text.data(), std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc));
  const std::string day = date_.substr(0, date_.find('T'));
  if (scope_.starts_with(day)) return;
  scope_ = day + "/" + std::string(kRegion) + "/kms/aws4_request";
  const std::string first = "AWS4" + access_key_.secret;
  signing_key_ = authn::HmacSha256(AsBytes(first), day);
  for (const std::string_view part :
       {kRegion, std::string_view("kms"), std::string_view("aws4_request")}) {
    signing_key_ = authn::HmacSha256(authn::Sha256Digest(signing_key_), part);
  }
}

void AwsRequests::SetInvocation() {
  const std::uint64_t call = ++calls_;
  std::array<std::byte, sizeof call> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(call >> (8 * (bytes.size() - 1 - i)));
  }
  const std::string digits = ToHex(bytes);
  invocation_.assign(digits, 0, 8).append("-").append(digits, 8, 4);
  invocation_.append("-4000-8000-0").append(digits, 12, 4).append("0000000");
}

}  // namespace hallmark::bench
