// Sealed texts (markers and the like): only what was sealed in a context opens in it.
#include "keystate/bytes.h"
#include "pkcs11/anchor_sealer.h"
#include "tests/fuzz/promise.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark {
namespace {

const Sealer& TestSealer() {
  static const std::unique_ptr<Sealer> kSealer =
      pkcs11::MakeAnchorSealer(SecretBytes(AsBytes("fuzzed under this 32 byte secret")));
  return *kSealer;
}

bool IsBase64Url(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// A stranger's text. The corpus holds some that were really sealed, so that decoding is reached.
void CheckForeignText(std::string_view context, std::string_view text) {
  const auto payload = TestSealer().Open(context, text);
  // One text per payload: an altered one that still opened would be another spelling.
  if (payload) HALLMARK_PROMISE(TestSealer().Seal(context, *payload) == text);
}

void CheckRoundTrip(std::string_view context, std::string_view payload) {
  const std::string sealed = TestSealer().Seal(context, payload);
  HALLMARK_PROMISE(std::all_of(sealed.begin(), sealed.end(), IsBase64Url));
  HALLMARK_PROMISE(TestSealer().Open(context, sealed) == payload);
  HALLMARK_PROMISE(!TestSealer().Open(std::string(context) + "x", sealed));
  HALLMARK_PROMISE(!TestSealer().Open(context, sealed + "A"));
  HALLMARK_PROMISE(!TestSealer().Open(context, sealed.substr(0, sealed.size() - 1)));

  const std::size_t place = payload.size() % sealed.size();
  std::string altered = sealed;
  altered[place] = altered[place] == 'A' ? 'B' : 'A';
  HALLMARK_PROMISE(!TestSealer().Open(context, altered));

  // What moves between context and payload is noticed.
  if (!context.empty() && !payload.empty()) {
    const std::string moved = std::string(context) + payload.front();
    HALLMARK_PROMISE(!TestSealer().Open(moved, sealed));
  }
}

}  // namespace
}  // namespace hallmark

// The context, a newline, then a text to open; the same text is also sealed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view context = input.substr(0, end);
  const std::string_view text = input.substr(std::min(end + 1, input.size()));
  hallmark::CheckForeignText(context, text);
  hallmark::CheckRoundTrip(context, text);
  return 0;
}
