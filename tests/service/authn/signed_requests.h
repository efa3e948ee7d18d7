// Clients that sign, and what a server needs to recognise them.
#pragma once

#include "keystate/clock.h"
#include "keystate/principal_directory.h"
#include "keystate/sealer.h"
#include "service/authn/canonical_request.h"
#include "service/authn/signature_marks.h"
#include "service/authn/signing_time.h"
#include "service/authn/sigv4.h"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::authn {

inline constexpr std::string_view kRegion = "us-west-2";
inline constexpr std::string_view kAlicesKey = "HMAKALICEALICEALICEA";

// 2026-11-22, a Sunday, at noon.
inline constexpr SigningTime kNoon =
    std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(12);

// Stands still until set.
class SettableClock final : public Clock {
 public:
  WallTime Now() const override { return now_.load(); }
  SteadyTime SteadyNow() const override { return SteadyTime{}; }
  void Set(WallTime now) { now_ = now; }

 private:
  std::atomic<WallTime> now_{kNoon};
};

// The bytes 0 to 31 for the access key of the vectors, and others for each other context.
class TestSealer final : public Sealer {
 public:
  explicit TestSealer(std::string vectors_key = {}) : vectors_key_(std::move(vectors_key)) {}
  std::string Seal(std::string_view, std::string_view) const override { return {}; }
  std::optional<std::string> Open(std::string_view, std::string_view) const override {
    return std::nullopt;
  }
  SecretBytes DeriveSecret(std::string_view context) const override {
    ++derived_;
    Sha256Digest secret = Sha256(context);
    if (context == "secret access key " + vectors_key_) {
      for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::byte>(i);
    }
    return SecretBytes(secret);
  }
  int derived() const { return derived_; }

 private:
  const std::string vectors_key_;
  mutable std::atomic<int> derived_{0};
};

// Of a service that is the first, or, where `used_until` says so, is not.
class TestMarks final : public SignatureMarks {
 public:
  explicit TestMarks(SigningTime used_until = SigningTime::min()) : used_until_(used_until) {}
  SigningTime UsedUntil(std::string_view) const override { return used_until_; }
  Status Raise(std::string_view access_key_id, SigningTime signed_at) override {
    if (broken) return Fail(Exception::kDependencyTimeoutException, "the store is gone");
    const MutexLock lock(mu_);
    raised_.emplace_back(access_key_id, signed_at);
    return {};
  }

  std::vector<std::pair<std::string, SigningTime>> raised() const {
    const MutexLock lock(mu_);
    return raised_;
  }

  bool broken = false;

 private:
  const SigningTime used_until_;
  mutable Mutex mu_;
  std::vector<std::pair<std::string, SigningTime>> raised_ HALLMARK_GUARDED_BY(mu_);
};

inline std::shared_ptr<const Principal> UserWithKeys(const std::string& name,
                                                     const std::vector<std::string>& keys) {
  const Site site{"aws", std::string(kRegion)};
  auto arn = PrincipalArn::Parse("arn:aws:iam::111122223333:user/" + name, site);
  Principal principal{
      PrincipalRecord{.unique_id = name, .arn = *std::move(arn)}, nullptr, "", {}, {}};
  for (const std::string& key : keys) principal.access_keys.push_back({key, name});
  return std::make_shared<const Principal>(std::move(principal));
}

// A request that owns what it says.
struct SentRequest {
  std::string method = "POST";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};

  // Replaces the header, or adds it.
  SentRequest& Set(const std::string& name, const std::string& value) {
    for (auto& header : headers) {
      if (header.first == name) {
        header.second = value;
        return *this;
      }
    }
    headers.emplace_back(name, value);
    return *this;
  }
  std::string Get(const std::string& name) const {
    for (const auto& header : headers) {
      if (header.first == name) return header.second;
    }
    return "";
  }
  SentRequest& Drop(const std::string& name) {
    std::erase_if(headers, [&](const auto& header) { return header.first == name; });
    return *this;
  }

  // Calls `use` with the request as a front hands it over.
  template <class Use>
  auto Show(const Use& use) const {
    std::vector<HttpHeader> shown;
    shown.reserve(headers.size());
    for (const auto& [name, value] : headers) shown.push_back({name, value});
    return use(SignedRequest{method, target, shown, body});
  }
};

// How a client signs; what it was told wrong is wrong in the request.
struct Signing {
  std::string access_key_id = std::string(kAlicesKey);
  SigningTime at = kNoon;
  std::string region = std::string(kRegion);
  std::string service = "kms";
  std::string terminator = std::string(kScopeTerminator);
  std::string day{};  // empty: that of the time
  std::string signed_headers = "host;x-amz-date;x-amz-target";
  std::string body = R"({"KeyId":"alias/demo"})";
};

// Signs what the request says already; its Host, X-Amz-Date and X-Amz-Target are added.
inline SentRequest Sign(const Signing& how, SentRequest request = {}) {
  request.Set("Host", "127.0.0.1:8443");
  if (request.Get("Date").empty()) request.Set("X-Amz-Date", FormatBasicTime(how.at));
  request.Set("X-Amz-Target", "TrentService.DescribeKey");
  if (request.body.empty()) request.body = how.body;
  const std::string day =
      how.day.empty() ? FormatBasicDay(std::chrono::floor<std::chrono::days>(how.at)) : how.day;
  const std::string scope = day + "/" + how.region + "/" + how.service + "/" + how.terminator;
  const std::string unsigned_header = std::string(kSigningAlgorithm) +
                                      " Credential=" + how.access_key_id + "/" + scope +
                                      ", SignedHeaders=" + how.signed_headers + ", Signature=";
  const std::string placeholder = unsigned_header + "0";
  const SignatureClaim claim = *ParseAuthorization(placeholder);
  const std::string canonical = request.Show([&](const SignedRequest& shown) {
    return *CanonicalRequest(shown, claim, ToHex(Sha256(request.body)));
  });
  const TestSealer sealer;
  const SecretBytes key = DeriveSigningKey(DeriveSecretAccessKey(sealer, how.access_key_id), day,
                                           how.region, how.service);
  const std::string to_sign = StringToSign(FormatBasicTime(how.at), claim.scope, canonical);
  request.Set("Authorization", unsigned_header + ToHex(HmacSha256(key.RevealForHsm(), to_sign)));
  return request;
}

}  // namespace hallmark::authn
