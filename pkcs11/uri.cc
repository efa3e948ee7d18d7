#include "pkcs11/uri.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <p11-kit/uri.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace hallmark::pkcs11 {
namespace {

// PKCS#11 knows no longer PINs in practice; what is longer is some other file.
constexpr std::size_t kMaxPinBytes = 1024;

Unexpected<OpenError> Misconfigured(std::string message) {
  return Unexpected(OpenError{OpenFailure::kConfiguration, std::move(message)});
}

// What a refusal shows of a URI. Never its query: a PIN may stand there, behind whatever
// misspelling of pin-value.
std::string Shown(const std::string& text) {
  const std::size_t query = text.find('?');
  return "\"" + (query == std::string::npos ? text : text.substr(0, query) + "?\u2026") + "\"";
}

// p11-kit reads "pin-va lue" as pin-value.
bool HoldsPin(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(),
                            [](unsigned char c) { return std::isspace(c) != 0; }),
             text.end());
  return text.find("pin-value") != std::string::npos;
}

// p11-kit takes every other name in the query for a vendor's and goes on: a misspelled pin-source
// would be no pin-source.
bool QueryIsKnown(std::string_view text) {
  std::size_t start = text.find('?');
  while (start != std::string_view::npos) {
    const std::size_t next = text.find('&', start + 1);
    const std::string_view attribute = text.substr(start + 1, next - start - 1);
    if (attribute.substr(0, attribute.find('=')) != "pin-source") return false;
    start = next;
  }
  return true;
}

// Nothing if the pin-source is not a file.
std::optional<std::filesystem::path> PinFile(std::string source,
                                             const std::filesystem::path& config_directory) {
  constexpr std::string_view kFile = "file:";
  if (source.starts_with(kFile)) {
    source.erase(0, kFile.size());
    if (source.starts_with("//")) {
      source.erase(0, 2);
      if (!source.starts_with('/')) return std::nullopt;  // a file on another host
    }
  } else if (source.starts_with('|') || source.find("://") != std::string::npos) {
    return std::nullopt;
  }
  if (source.empty()) return std::nullopt;
  return config_directory / source;  // an absolute path replaces the directory
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) static_cast<void>(::close(fd_));
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Wipes the bytes between the file and SecretBytes.
struct PinBuffer {
  std::array<std::byte, kMaxPinBytes + 1> bytes;
  ~PinBuffer() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

}  // namespace

void TokenUri::Free::operator()(p11_kit_uri* uri) const { p11_kit_uri_free(uri); }

TokenUri::TokenUri(std::unique_ptr<p11_kit_uri, Free> uri, std::string text,
                   std::filesystem::path pin_file)
    : uri_(std::move(uri)), text_(std::move(text)), pin_file_(std::move(pin_file)) {}

Result<TokenUri, OpenError> TokenUri::Parse(const std::string& text,
                                            const std::filesystem::path& config_directory) {
  // p11-kit would read it up to there, and take the rest for granted.
  if (text.find('\0') != std::string::npos || text.find("%00") != std::string::npos) {
    return Misconfigured("the token's URI holds a NUL character: remove it");
  }
  if (HoldsPin(text)) {
    return Misconfigured(
        "the token's URI holds a PIN (pin-value), which would end up in logs and backups: put the "
        "PIN in a file of mode 0600 and name it by pin-source");
  }
  std::unique_ptr<p11_kit_uri, Free> uri(p11_kit_uri_new());
  const int parsed = p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri.get());
  if (parsed != P11_KIT_URI_OK) {
    const char* reason = p11_kit_uri_message(parsed);
    return Misconfigured(Shown(text) + " is not a PKCS#11 URI (" +
                         (reason == nullptr ? "unknown reason" : reason) +
                         "): write it as in RFC 7512, for example pkcs11:token=NAME");
  }
  if (p11_kit_uri_any_unrecognized(uri.get()) || !QueryIsKnown(text)) {
    return Misconfigured(
        Shown(text) + " has a part that is not known: correct it, for example pkcs11:token=NAME");
  }
  std::filesystem::path pin_file;
  if (const char* source = p11_kit_uri_get_pin_source(uri.get())) {
    std::optional<std::filesystem::path> file = PinFile(source, config_directory);
    if (!file) {
      return Misconfigured("the pin-source of " + Shown(text) +
                           " is not a local file: name a file that holds the PIN");
    }
    pin_file = *std::move(file);
  }
  return TokenUri(std::move(uri), text, std::move(pin_file));
}

bool TokenUri::Matches(CK_SLOT_ID slot, const CK_TOKEN_INFO& token) const {
  const CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri_.get());
  constexpr CK_SLOT_ID kAnySlot = ~CK_SLOT_ID{0};
  return (wanted == kAnySlot || wanted == slot) &&
         p11_kit_uri_match_token_info(uri_.get(), &token) != 0;
}

Result<SecretBytes, OpenError> ReadPin(const std::filesystem::path& file) {
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  if (fd.get() < 0 || ::fstat(fd.get(), &status) != 0) {
    return Misconfigured("the PIN file " + file.string() + " cannot be read (" +
                         std::strerror(errno) + "): correct pin-source or the file's owner");
  }
  if (!S_ISREG(status.st_mode)) {
    return Misconfigured("the PIN file " + file.string() +
                         " is not a regular file: correct pin-source");
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Misconfigured("the PIN file " + file.string() + " is open to other users: chmod 600 " +
                         file.string());
  }
  PinBuffer buffer;
  std::size_t size = 0;
  while (size < buffer.bytes.size()) {
    const ssize_t got = ::read(fd.get(), buffer.bytes.data() + size, buffer.bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return Misconfigured("the PIN file " + file.string() + " cannot be read (" +
                           std::strerror(errno) + ")");
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxPinBytes) {
    return Misconfigured("the PIN file " + file.string() + " is too long to hold a PIN");
  }
  if (size > 0 && buffer.bytes[size - 1] == std::byte{'\n'}) --size;
  if (size == 0) {
    return Misconfigured("the PIN file " + file.string() + " is empty: write the PIN into it");
  }
  return SecretBytes(ByteView(buffer.bytes.data(), size));
}

}  // namespace hallmark::pkcs11
