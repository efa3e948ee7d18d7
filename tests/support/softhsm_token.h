// A SoftHSM token in a fresh directory, and direct access to it behind the back of what is tested.
#pragma once

#include "keystate/key_spec.h"
#include "keystate/records.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/token_hsm.h"
#include "service/system/system.h"

#include <filesystem>
#include <string>

namespace hallmark::testing {

// A new token with random PINs. All tokens of a process share one SoftHSM, which reads its
// configuration once, so their directories live until the process ends.
//
// The module in `options()` is hallmark-fault.so around SoftHSM, linked to the test as well:
// FaultList reaches the very calls that the code under test makes.
class SoftHsmToken {
 public:
  SoftHsmToken();

  const pkcs11::TokenOptions& options() const { return options_; }
  const std::filesystem::path& directory() const { return directory_; }
  const std::filesystem::path& pin_file() const { return pin_file_; }
  const std::string& label() const { return label_; }
  // SoftHSM numbers its slots anew when it is initialised again.
  CK_SLOT_ID slot() const;

  // The PIN file is made to hold another text; what it held is returned.
  std::string ReplacePin(const std::string& text) const;

  // SoftHSM itself, without the fault module.
  static CK_FUNCTION_LIST& functions();

 private:
  std::filesystem::path directory_;
  std::filesystem::path pin_file_;
  std::string label_;
  pkcs11::TokenOptions options_;
};

// A session of the test's own. The login of a process is shared by all its sessions.
class TestSession {
 public:
  explicit TestSession(const SoftHsmToken& token);
  ~TestSession();
  TestSession(const TestSession&) = delete;
  TestSession& operator=(const TestSession&) = delete;

  CK_SESSION_HANDLE handle() const { return handle_; }

  // A token key with a known value; `id` need not be one of ours.
  CK_OBJECT_HANDLE CreateKey(ByteView id, ByteView value) const;
  // Handles of secret keys with this CKA_ID.
  std::vector<CK_OBJECT_HANDLE> Find(const CkaId& id) const;
  void Destroy(const CkaId& id) const;
  bool Flag(CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type) const;
  // Logs the whole process out of the token.
  void LogOut() const;

 private:
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
};

}  // namespace hallmark::testing
