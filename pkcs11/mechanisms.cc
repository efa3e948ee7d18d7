#include "pkcs11/mechanisms.h"

namespace hallmark::pkcs11 {
namespace {

struct MechanismRow {
  KeySpec spec;
  CK_MECHANISM_TYPE type;
  const char* name;
};

constexpr std::array<MechanismRow, kKeySpecs.size()> kMechanisms{{
    {KeySpec::kHmac224, CKM_SHA224_HMAC, "CKM_SHA224_HMAC"},
    {KeySpec::kHmac256, CKM_SHA256_HMAC, "CKM_SHA256_HMAC"},
    {KeySpec::kHmac384, CKM_SHA384_HMAC, "CKM_SHA384_HMAC"},
    {KeySpec::kHmac512, CKM_SHA512_HMAC, "CKM_SHA512_HMAC"},
}};

// The standard leaves the unit of key sizes to the mechanism, and tokens disagree for HMAC: SoftHSM
// means bytes, openCryptoki bits. Either reading that allows the key will do; a token that then
// refuses the key says so itself. NSS reports a maximum of 0 for "no limit".
bool Allows(const CK_MECHANISM_INFO& info, std::size_t key_bytes) {
  const auto within = [&info](CK_ULONG size) {
    return info.ulMinKeySize <= size && (info.ulMaxKeySize == 0 || size <= info.ulMaxKeySize);
  };
  return within(key_bytes) || within(key_bytes * 8);
}

}  // namespace

Mechanisms Mechanisms::Ask(const CK_FUNCTION_LIST& functions, CK_SLOT_ID slot) {
  Mechanisms mechanisms;
  for (std::size_t i = 0; i < kMechanisms.size(); ++i) {
    CK_MECHANISM_INFO info{};
    mechanisms.offered_[i] =
        functions.C_GetMechanismInfo(slot, kMechanisms[i].type, &info) == CKR_OK &&
        (info.flags & CKF_SIGN) != 0 && Allows(info, Row(kMechanisms[i].spec).key_bytes);
  }
  return mechanisms;
}

Result<CK_MECHANISM_TYPE> Mechanisms::For(KeySpec spec, const std::string& token_id) const {
  const auto index = static_cast<std::size_t>(spec);
  if (offered_[index]) return kMechanisms[index].type;
  return Fail(Exception::kUnsupportedOperationException,
              "The token " + token_id + " has no " + kMechanisms[index].name +
                  ", which keys of spec " + std::string(Name(spec)) + " need.");
}

}  // namespace hallmark::pkcs11
