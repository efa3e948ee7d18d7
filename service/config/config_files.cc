#include "service/config/config_files.h"

#include "pkcs11/uri.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

namespace hallmark::service {
namespace {

namespace fs = std::filesystem;

// The file is only named by what it holds; whether that is right, the daemon says when it starts.
class Checker {
 public:
  Checker(const toml::table& file, Mistakes& mistakes) : file_(file), mistakes_(mistakes) {}

  // An empty path means that there is none.
  void Readable(std::string_view key, const fs::path& path) const {
    struct stat status {};
    if (path.empty()) return;
    if (::access(path.c_str(), R_OK) != 0 || ::stat(path.c_str(), &status) != 0) {
      return Add(key, "cannot read '" + path.string() + "': " + std::strerror(errno) +
                          "; make the file or correct its path or owner");
    }
    if (!S_ISREG(status.st_mode)) {
      Add(key, "'" + path.string() + "' is not a file; correct the path");
    }
  }

  void Folder(std::string_view key, const fs::path& path) const {
    struct stat status {};
    if (path.empty()) return;
    if (::stat(path.c_str(), &status) != 0) {
      return Add(key, "there is no folder '" + path.string() + "': " + std::strerror(errno) +
                          "; make it or correct the path");
    }
    if (!S_ISDIR(status.st_mode)) {
      Add(key, "'" + path.string() + "' is not a folder; correct the path");
    }
  }

  // What will be made by the daemon needs a folder to be made in.
  void FolderOf(std::string_view key, const fs::path& path) const {
    Folder(key, path.empty() ? path : path.parent_path());
  }

  void Add(std::string_view key, std::string_view reason) const {
    const toml::node* node = file_.at_path(key).node();
    mistakes_.Add(node == nullptr ? 0 : std::int64_t{node->source().begin.line}, key, reason);
  }

 private:
  const toml::table& file_;
  Mistakes& mistakes_;
};

void CheckToken(const pkcs11::TokenOptions& token, const Checker& check) {
  const std::string section = "token." + token.token_id + ".";
  check.Readable(section + "module", token.module);
  check.Folder(section + "sync_path", token.sync_path);
  if (token.uri.empty()) return;  // reported as missing or wrong already
  const auto uri = pkcs11::TokenUri::Parse(token.uri, token.config_directory);
  if (!uri) return check.Add(section + "uri", uri.error().message);
  if (uri->pin_file().empty()) return;
  if (const auto pin = pkcs11::ReadPin(uri->pin_file()); !pin) {
    check.Add(section + "uri", pin.error().message);
  }
}

}  // namespace

void CheckFiles(const toml::table& file, const Config& config, Mistakes& mistakes) {
  const Checker check(file, mistakes);
  check.Readable("tls.certificate", config.tls.certificate);
  check.Readable("tls.private_key", config.tls.private_key);
  check.Readable("tls.client_ca", config.tls.client_ca);
  check.Folder("tls.trust_domains", config.tls.trust_domains);
  // Not those of the socket and the endpoints: a service manager makes them just before the start.
  check.FolderOf("store.directory", config.store_directory);
  check.FolderOf("log.file", config.log.file);
  check.FolderOf("audit.file", config.audit_file);
  for (const pkcs11::TokenOptions& token : config.tokens) CheckToken(token, check);
}

}  // namespace hallmark::service
