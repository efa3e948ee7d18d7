// Principals on a real store.
#pragma once

#include "keystate/bytes.h"
#include "keystate/store/sqlite_store.h"
#include "service/app/admin_ops.h"
#include "service/system/system.h"
#include "tests/service/fake_clock.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::app {

using hallmark::testing::IsOk;
using hallmark::testing::Raises;
using hallmark::testing::TemporaryDirectory;

inline constexpr const char* kAlice = "arn:aws:iam::111122223333:user/Alice";
inline constexpr const char* kPolicy =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}})";
inline const Site kSite{"aws", "us-west-2"};

// Secrets that differ by their context, as a token's do.
class ContextSealer final : public Sealer {
 public:
  std::string Seal(std::string_view, std::string_view) const override { return {}; }
  std::optional<std::string> Open(std::string_view, std::string_view) const override {
    return std::nullopt;
  }
  SecretBytes DeriveSecret(std::string_view context) const override {
    const auto bytes = AsBytes(context);
    return SecretBytes(Bytes(bytes.begin(), bytes.end()));
  }
};

inline std::string Fingerprint(char digit) { return std::string(64, digit); }

class PrincipalTest : public ::testing::Test {
 protected:
  PrincipalTest() {
    auto store = store::SqliteStore::Open(directory_.path() / "store", kSite, random_);
    EXPECT_THAT(store, IsOk());
    store_ = *std::move(store);
    admin_.emplace(PrincipalAdmin{kSite, principals_, *store_, clock_, random_, sealer_});
  }

  v1::AddPrincipalResponse AddAlice() {
    v1::AddPrincipalRequest request;
    request.set_arn(kAlice);
    request.set_policy(kPolicy);
    request.set_certificate_fingerprint(Fingerprint('a'));
    v1::AddPrincipalResponse response;
    EXPECT_THAT(AddPrincipal(*admin_, request, &response), IsOk());
    return response;
  }
  v1::AddPrincipalResponse Add(const std::string& arn, char digit) {
    v1::AddPrincipalRequest request;
    request.set_arn("arn:aws:" + arn);
    request.set_certificate_fingerprint(Fingerprint(digit));
    v1::AddPrincipalResponse response;
    EXPECT_THAT(AddPrincipal(*admin_, request, &response), IsOk());
    return response;
  }
  bool IsKnown(char digit) const {
    CertificateFingerprint fingerprint{};
    const std::optional<Bytes> bytes = FromHex(Fingerprint(digit));
    std::copy(bytes->begin(), bytes->end(), fingerprint.begin());
    return principals_.FindByFingerprint(fingerprint) != nullptr;
  }

  const TemporaryDirectory directory_;
  service::OsRandom random_;
  service::FakeClock clock_;
  ContextSealer sealer_;
  PrincipalDirectory principals_;
  std::unique_ptr<store::SqliteStore> store_;
  std::optional<PrincipalAdmin> admin_;
};

}  // namespace hallmark::app
