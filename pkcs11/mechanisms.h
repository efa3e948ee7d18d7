// Which HMAC mechanisms a token really offers.
#pragma once

#include "keystate/key_spec.h"
#include "keystate/result.h"
#include "pkcs11/cryptoki.h"

#include <array>
#include <string>

namespace hallmark::pkcs11 {

// Asked of the token once, when it is opened.
class Mechanisms {
 public:
  static Mechanisms Ask(const CK_FUNCTION_LIST& functions, CK_SLOT_ID slot);

  // Errors: UnsupportedOperationException that names the token and the mechanism.
  Result<CK_MECHANISM_TYPE> For(KeySpec spec, const std::string& token_id) const;

 private:
  std::array<bool, kKeySpecs.size()> offered_{};
};

}  // namespace hallmark::pkcs11
