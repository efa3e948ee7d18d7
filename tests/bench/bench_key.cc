#include "tests/bench/bench_key.h"

#include "keystate/key_spec.h"
#include "service/system/system.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace hallmark::bench {
namespace {

using testing::SoftHsmToken;

void RequireOk(CK_RV rv, const char* function) {
  if (rv == CKR_OK) return;
  std::fprintf(stderr, "%s failed with 0x%lx\n", function, rv);
  std::abort();
}

CK_OBJECT_HANDLE MakeKey(const testing::TestSession& session) {
  CkaId id{};
  std::array<std::byte, 32> value{};
  service::OsRandom random;
  random.Fill(id);
  random.Fill(value);
  return session.CreateKey(id, value);
}

}  // namespace

BenchKey::BenchKey() : login_(token_), handle_(MakeKey(login_)) {}

BenchSession::BenchSession(const BenchKey& key) : key_(key.handle()) {
  RequireOk(SoftHsmToken::functions().C_OpenSession(key.slot(), CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                                    nullptr, nullptr, &session_),
            "C_OpenSession");
}

BenchSession::~BenchSession() {
  static_cast<void>(SoftHsmToken::functions().C_CloseSession(session_));
}

MacTag BenchSession::Sign(ByteView message) {
  CK_FUNCTION_LIST& token = SoftHsmToken::functions();
  CK_MECHANISM mechanism{CKM_SHA256_HMAC, nullptr, 0};
  RequireOk(token.C_SignInit(session_, &mechanism, key_), "C_SignInit");
  std::array<std::byte, kMaxMacBytes> tag{};
  CK_ULONG size = tag.size();
  // PKCS#11 was written before const.
  auto* const data = reinterpret_cast<CK_BYTE*>(const_cast<std::byte*>(message.data()));
  RequireOk(
      token.C_Sign(session_, data, message.size(), reinterpret_cast<CK_BYTE*>(tag.data()), &size),
      "C_Sign");
  return MacTag(ByteView(tag).first(size));
}

}  // namespace hallmark::bench
