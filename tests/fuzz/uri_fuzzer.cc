// Token URIs: understood whole or refused, and a refusal never shows what may be a PIN.
#include "pkcs11/uri.h"
#include "tests/fuzz/promise.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace hallmark::pkcs11 {
namespace {

constexpr std::string_view kDirectory = "/etc/hallmark";

void CheckRefusal(const OpenError& error, std::string_view text) {
  HALLMARK_PROMISE(error.failure == OpenFailure::kConfiguration);
  HALLMARK_PROMISE(!error.message.empty() && error.message.size() <= text.size() + 256);
}

// A PIN stands in the query, maybe behind a misspelled name.
void CheckPinIsNotShown(const std::string& text) {
  constexpr std::string_view kPin = "74119-74119";
  if (text.find(kPin) != std::string::npos) return;
  const char separator = text.find('?') == std::string::npos ? '?' : '&';
  for (const char* name : {"pin-value=", "pin-vaule=", "PIN-VALUE=", "pin-va lue="}) {
    const auto uri = TokenUri::Parse(text + separator + name + std::string(kPin), kDirectory);
    HALLMARK_PROMISE(!uri && uri.error().message.find(kPin) == std::string::npos);
  }
}

void CheckAccepted(const TokenUri& uri, const std::string& text) {
  HALLMARK_PROMISE(uri.text() == text);
  HALLMARK_PROMISE(text.find('\0') == std::string::npos);
  HALLMARK_PROMISE(text.find("pin-value") == std::string::npos);
  HALLMARK_PROMISE(uri.pin_file().empty() || uri.pin_file().is_absolute());
  const auto again = TokenUri::Parse(text, kDirectory);
  HALLMARK_PROMISE(again && again->pin_file() == uri.pin_file());

  CK_TOKEN_INFO token{};
  constexpr std::string_view kLabel = "hallmark";
  std::fill(std::begin(token.label), std::end(token.label), CK_UTF8CHAR{' '});
  std::copy(kLabel.begin(), kLabel.end(), token.label);
  HALLMARK_PROMISE(uri.Matches(1, token) == again->Matches(1, token));
}

}  // namespace
}  // namespace hallmark::pkcs11

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto uri = hallmark::pkcs11::TokenUri::Parse(text, hallmark::pkcs11::kDirectory);
  if (uri) {
    hallmark::pkcs11::CheckAccepted(*uri, text);
  } else {
    hallmark::pkcs11::CheckRefusal(uri.error(), text);
  }
  hallmark::pkcs11::CheckPinIsNotShown(text);
  return 0;
}
