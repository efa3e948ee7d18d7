// RFC 7512 URIs: which token is meant, and where its PIN is.
#pragma once

#include "keystate/result.h"
#include "keystate/secret.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/options.h"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct p11_kit_uri;

namespace hallmark::pkcs11 {

// A parsed token URI.
//
// Thread-safety: const methods may be called from any thread.
class TokenUri {
 public:
  // A relative pin-source is looked up in `config_directory`.
  // Errors: kConfiguration for what is not a token URI, holds the PIN itself (pin-value), or names
  // a
  //   pin-source that is not a file. The message never shows the query, where a PIN may stand.
  static Result<TokenUri, OpenError> Parse(const std::string& text,
                                           const std::filesystem::path& config_directory);

  bool Matches(CK_SLOT_ID slot, const CK_TOKEN_INFO& token) const;
  // As written in the configuration; holds no secret.
  const std::string& text() const { return text_; }
  // Empty: the URI has no pin-source.
  const std::filesystem::path& pin_file() const { return pin_file_; }

 private:
  struct Free {
    void operator()(p11_kit_uri* uri) const;
  };
  TokenUri(std::unique_ptr<p11_kit_uri, Free> uri, std::string text,
           std::filesystem::path pin_file);

  std::unique_ptr<p11_kit_uri, Free> uri_;
  std::string text_;
  std::filesystem::path pin_file_;
};

// Reads a PIN file without its trailing newline.
// Errors: kConfiguration when it cannot be read, is empty or is open to other users.
Result<SecretBytes, OpenError> ReadPin(const std::filesystem::path& file);

}  // namespace hallmark::pkcs11
