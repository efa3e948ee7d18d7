// Configuration files: every mistake is one line that names the file, and what is accepted holds.
#include "service/config/config.h"
#include "tests/fuzz/promise.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace hallmark::service {
namespace {

// A file without a disk.
class MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("hallmarkd.toml", MFD_CLOEXEC)) {
    HALLMARK_PROMISE(fd_ >= 0 && fchmod(fd_, 0600) == 0);
  }
  ~MemoryFile() { static_cast<void>(close(fd_)); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void Replace(const std::uint8_t* data, std::size_t size) const {
    HALLMARK_PROMISE(ftruncate(fd_, 0) == 0);
    HALLMARK_PROMISE(pwrite(fd_, data, size, 0) == static_cast<ssize_t>(size));
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

void CheckAccepted(const Config& config) {
  HALLMARK_PROMISE(config.tokens.size() == 1);
  HALLMARK_PROMISE(config.grpc.max_connections_per_address <= config.grpc.max_connections);
  HALLMARK_PROMISE(config.tls.private_key.is_absolute() && config.store_directory.is_absolute());
  HALLMARK_PROMISE(config.grpc.listen.find('\0') == std::string::npos);
  HALLMARK_PROMISE(config.tokens[0].uri.starts_with("pkcs11:"));
  HALLMARK_PROMISE(config.tokens[0].uri.find("pin-value") == std::string::npos);
  HALLMARK_PROMISE(ChangedKeys(config, config).empty());
}

void CheckRefusal(const std::vector<ConfigError>& mistakes, const std::string& path) {
  HALLMARK_PROMISE(!mistakes.empty());
  for (const ConfigError& mistake : mistakes) {
    HALLMARK_PROMISE(mistake.message.starts_with(path + ":"));
  }
}

}  // namespace
}  // namespace hallmark::service

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const hallmark::service::MemoryFile kFile;
  kFile.Replace(data, size);
  const auto config = hallmark::service::LoadConfig(kFile.path());
  if (config) {
    hallmark::service::CheckAccepted(*config);
  } else {
    hallmark::service::CheckRefusal(config.error(), kFile.path());
  }
  return 0;
}
