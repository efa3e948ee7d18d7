// The daemon's SoftHSM token, seen behind its back.
#pragma once

#include "pkcs11/cryptoki.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace hallmark::testing {

struct TokenObject {
  CK_OBJECT_CLASS object_class;
  std::string id;  // CKA_ID in lower-case hex; empty: none
  std::string label;
};

// SoftHSM in this process, on the token of one home, from construction to destruction. One at a
// time: a process has one SoftHSM, and only a new start sees what a killed process left.
class TokenView {
 public:
  explicit TokenView(const std::filesystem::path& home);
  ~TokenView();
  TokenView(const TokenView&) = delete;
  TokenView& operator=(const TokenView&) = delete;

  std::vector<TokenObject> Objects() const;
  // What other programs may keep on the same token: an HMAC key much like one of ours, an AES key
  // without CKA_ID, a data object.
  void AddForeignObjects() const;

 private:
  CK_FUNCTION_LIST* functions_ = nullptr;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

// Every object file of the token with its content: what is untouched has the same bytes.
std::map<std::string, std::string> ObjectFiles(const std::filesystem::path& home);

}  // namespace hallmark::testing
