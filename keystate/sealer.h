// The port to keys that are derived from the token: for opaque texts (markers, later grant and
// import tokens) and for secrets that need not be stored because they can be derived again.
#pragma once

#include "keystate/secret.h"

#include <optional>
#include <string>
#include <string_view>

namespace hallmark {

// Thread-safety: every method may be called from any thread.
class Sealer {
 public:
  virtual ~Sealer() = default;

  // A printable text from which `payload` can be read again only with the same `context`. The
  // payload is authenticated, not hidden.
  virtual std::string Seal(std::string_view context, std::string_view payload) const = 0;

  // Nothing if the text was altered, was sealed in another context or by another service.
  virtual std::optional<std::string> Open(std::string_view context,
                                          std::string_view sealed) const = 0;

  // 32 secret bytes, always the same for the same context.
  virtual SecretBytes DeriveSecret(std::string_view context) const = 0;
};

// The secret of an access key, which is stored nowhere. Clients know it in lower-case hexadecimal.
inline SecretBytes DeriveSecretAccessKey(const Sealer& sealer, std::string_view access_key_id) {
  return sealer.DeriveSecret("secret access key " + std::string(access_key_id));
}

}  // namespace hallmark
