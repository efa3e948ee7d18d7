// A PKCS#11 module, loaded by its path.
#pragma once

#include "keystate/result.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/options.h"
#include "pkcs11/uri.h"

#include <filesystem>
#include <memory>
#include <string>

namespace hallmark::pkcs11 {

// Loaded and initialised once per path and process, however many tokens of it are used. Never
// unloaded: modules leave threads and exit handlers behind. C_Finalize is called once, when the
// process exits, and not at all while somebody still uses the module, for instance a thread stuck
// in it.
//
// Thread-safety: every method may be called from any thread.
class Module {
 public:
  // Errors: kConfiguration when the path is not a PKCS#11 module; kTokenError when it cannot be
  //   initialised.
  static Result<std::shared_ptr<Module>, OpenError> Load(const std::filesystem::path& path,
                                                         const std::string& init_args);

  const CK_FUNCTION_LIST& functions() const { return *functions_; }

  // Finishes every module that nobody uses any more; runs at exit.
  static void FinalizeUnused();

 private:
  Module(CK_FUNCTION_LIST* functions, std::string init_args)
      : functions_(functions), init_args_(std::move(init_args)) {}

  CK_FUNCTION_LIST* functions_;  // lives as long as the process
  std::string init_args_;
  // False if another part of the process had initialised the module; then it is theirs to finalise.
  bool ours_ = false;
};

struct FoundToken {
  CK_SLOT_ID slot;
  CK_TOKEN_INFO info;
};

// The one initialised token that the URI describes.
// Errors: kTokenAbsent when there is none, kConfiguration when there are several.
Result<FoundToken, OpenError> FindToken(const Module& module, const TokenUri& uri);

// A blank-padded field of PKCS#11 as text.
std::string Unpadded(const unsigned char* field, std::size_t size);

}  // namespace hallmark::pkcs11
