// Attribute templates that own their bytes, and what every key of ours must be.
#pragma once

#include "keystate/bytes.h"
#include "keystate/key_spec.h"
#include "keystate/records.h"
#include "pkcs11/cryptoki.h"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::pkcs11 {

// A CK_ATTRIBUTE array together with what it points to.
class AttributeTemplate {
 public:
  AttributeTemplate() = default;
  AttributeTemplate(const AttributeTemplate&) = delete;
  AttributeTemplate& operator=(const AttributeTemplate&) = delete;

  void Add(CK_ATTRIBUTE_TYPE type, bool value);
  void Add(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
  void Add(CK_ATTRIBUTE_TYPE type, ByteView value);

  CK_ATTRIBUTE* data() { return attributes_.data(); }
  CK_ULONG size() const { return attributes_.size(); }

 private:
  std::deque<Bytes> values_;  // a deque: growing it moves no value
  std::vector<CK_ATTRIBUTE> attributes_;
};

// One attribute a key of ours must have, as it is asked for and as it is read back.
struct RequiredFlag {
  CK_ATTRIBUTE_TYPE type;
  const char* name;
  bool value;
};

// What makes a key ours: it stays on the token, cannot be read, and does nothing but MACs. Spelled
// out in full because tokens fill gaps with generous defaults (SoftHSM: every usage true).
// INVARIANT: CKA_MODIFIABLE is `modifiable`.
std::vector<RequiredFlag> RequiredFlags(bool modifiable);

// What C_GenerateKey is asked for.
void FillKeyTemplate(const CkaId& id, std::string_view label, KeySpec spec, bool modifiable,
                     AttributeTemplate* out);

// Every secret key on the token; with this CKA_ID.
void FillSearchTemplate(AttributeTemplate* out);
void FillSearchTemplate(const CkaId& id, AttributeTemplate* out);

}  // namespace hallmark::pkcs11
