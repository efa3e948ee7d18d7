#include "pkcs11/attributes.h"

#include <cstring>
#include <span>

namespace hallmark::pkcs11 {

void AttributeTemplate::Add(CK_ATTRIBUTE_TYPE type, bool value) {
  const CK_BBOOL flag = value ? CK_TRUE : CK_FALSE;
  Add(type, std::as_bytes(std::span(&flag, 1)));
}

void AttributeTemplate::Add(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  Add(type, std::as_bytes(std::span(&value, 1)));
}

void AttributeTemplate::Add(CK_ATTRIBUTE_TYPE type, ByteView value) {
  Bytes& owned = values_.emplace_back(value.begin(), value.end());
  attributes_.push_back(CK_ATTRIBUTE{type, owned.data(), owned.size()});
}

std::vector<RequiredFlag> RequiredFlags(bool modifiable) {
  return {
      {CKA_TOKEN, "CKA_TOKEN", true},         {CKA_PRIVATE, "CKA_PRIVATE", true},
      {CKA_SENSITIVE, "CKA_SENSITIVE", true}, {CKA_EXTRACTABLE, "CKA_EXTRACTABLE", false},
      {CKA_SIGN, "CKA_SIGN", true},           {CKA_VERIFY, "CKA_VERIFY", true},
      {CKA_ENCRYPT, "CKA_ENCRYPT", false},    {CKA_DECRYPT, "CKA_DECRYPT", false},
      {CKA_WRAP, "CKA_WRAP", false},          {CKA_UNWRAP, "CKA_UNWRAP", false},
      {CKA_DERIVE, "CKA_DERIVE", false},      {CKA_MODIFIABLE, "CKA_MODIFIABLE", modifiable},
  };
}

void FillKeyTemplate(const CkaId& id, std::string_view label, KeySpec spec, bool modifiable,
                     AttributeTemplate* out) {
  out->Add(CKA_CLASS, CK_ULONG{CKO_SECRET_KEY});
  out->Add(CKA_KEY_TYPE, CK_ULONG{CKK_GENERIC_SECRET});
  for (const RequiredFlag& flag : RequiredFlags(modifiable)) out->Add(flag.type, flag.value);
  out->Add(CKA_ID, id);
  out->Add(CKA_LABEL, AsBytes(label));
  out->Add(CKA_VALUE_LEN, CK_ULONG{Row(spec).key_bytes});
}

void FillSearchTemplate(AttributeTemplate* out) {
  out->Add(CKA_CLASS, CK_ULONG{CKO_SECRET_KEY});
  out->Add(CKA_TOKEN, true);
}

void FillSearchTemplate(const CkaId& id, AttributeTemplate* out) {
  FillSearchTemplate(out);
  out->Add(CKA_ID, id);
}

}  // namespace hallmark::pkcs11
