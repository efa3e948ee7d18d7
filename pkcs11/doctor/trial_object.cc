#include "pkcs11/doctor/trial_object.h"

#include "pkcs11/attributes.h"

#include <algorithm>
#include <array>

namespace hallmark::pkcs11 {
namespace {

constexpr std::size_t kKnownKeyBytes = 20;

constexpr std::array<KnownAnswer, kKeySpecs.size()> kKnownAnswers{{
    {KeySpec::kHmac224, "Hi There", "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22"},
    {KeySpec::kHmac256, "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {KeySpec::kHmac384, "Hi There",
     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9"
     "cb6"},
    {KeySpec::kHmac512, "Hi There",
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f"
     "4e4be9d914eeb61f1702e696c203a126854"},
}};

}  // namespace

const KnownAnswer& KnownAnswerOf(KeySpec spec) {
  return kKnownAnswers[static_cast<std::size_t>(spec)];
}

CkResult<TrialObject> CreateKnownKey(Session& session, KeySpec spec) {
  Bytes value(Row(spec).key_bytes);
  std::fill_n(value.begin(), kKnownKeyBytes, std::byte{0x0b});
  AttributeTemplate attributes;
  attributes.Add(CKA_CLASS, CK_ULONG{CKO_SECRET_KEY});
  attributes.Add(CKA_KEY_TYPE, CK_ULONG{CKK_GENERIC_SECRET});
  attributes.Add(CKA_TOKEN, false);
  attributes.Add(CKA_PRIVATE, true);
  attributes.Add(CKA_SIGN, true);
  attributes.Add(CKA_VALUE, ByteView(value));
  HALLMARK_ASSIGN_OR_RETURN(const CK_OBJECT_HANDLE key, session.CreateObject(attributes));
  return TrialObject(session, key);
}

}  // namespace hallmark::pkcs11
