// A PKCS#11 module, loaded by its path.
#pragma once

#include "keystate/clock.h"
#include "keystate/mutex.h"
#include "keystate/result.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/options.h"
#include "pkcs11/uri.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::pkcs11 {

// A token in use, which keeps out of its module while that is initialised again: C_Finalize ends
// the sessions of every token of a module.
class ModuleUser {
 public:
  virtual ~ModuleUser() = default;

  // Callers are being served, whom an interruption would hold up.
  virtual bool serving() const = 0;
  // Lets nobody into the module any more and waits for those who are inside. False if they have not
  // come back by then: everything goes on as before.
  virtual bool StandAside(SteadyTime give_up) = 0;
  // Ends a successful StandAside. `anew`: sessions and object handles have ended.
  virtual void StepBack(bool anew) = 0;
};

// Loaded once per path and process, however many tokens of it are used. Never unloaded: modules
// leave threads and exit handlers behind. Finalised at exit, and not at all while somebody still
// uses the module, for instance a thread stuck in it.
//
// Thread-safety: every method may be called from any thread.
class Module {
 public:
  // Errors: kConfiguration when the path is not a PKCS#11 module; kTokenError when it cannot be
  //   initialised.
  static Result<std::shared_ptr<Module>, OpenError> Load(const std::filesystem::path& path,
                                                         const std::string& init_args);

  const CK_FUNCTION_LIST& functions() const { return *functions_; }

  // Whoever calls the module from now on, until it is gone.
  void Join(std::weak_ptr<ModuleUser> user) HALLMARK_EXCLUDES(mu_);

  enum class Reinitialised {
    kYes,      // sessions and handles have ended; if C_Initialize failed, the next call will tell
    kNo,       // everything goes on as before
    kByOther,  // another asker is at it, and may wait for this one to stand aside
  };
  // C_Finalize and C_Initialize, for `asker`, of which nobody is inside the module, once all other
  // users stand aside. It is left undone when one of them does not come out, while those that serve
  // were disturbed a moment ago or unless `may_disturb`, and where another part of the process has
  // initialised the module.
  Reinitialised Reinitialise(const ModuleUser& asker, bool may_disturb) HALLMARK_EXCLUDES(mu_);

  // Runs `action` while nobody initialises the module again; false if that had not ended by then.
  bool WhileInitialised(SteadyTime give_up, const std::function<void()>& action)
      HALLMARK_EXCLUDES(mu_);

  // Finishes every module that nobody uses any more; runs at exit.
  static void FinalizeUnused();

 private:
  Module(CK_FUNCTION_LIST* functions, std::string init_args)
      : functions_(functions), init_args_(std::move(init_args)) {}

  CK_RV Initialize();
  // Held by one asker, or one who closes, at a time.
  class Turn;
  // Users other than `asker`.
  std::vector<std::shared_ptr<ModuleUser>> Others(const ModuleUser& asker) HALLMARK_EXCLUDES(mu_);
  bool MayDisturbNow(SteadyTime now) HALLMARK_EXCLUDES(mu_);

  CK_FUNCTION_LIST* functions_;  // lives as long as the process
  std::string init_args_;
  // False if another part of the process had initialised the module; then it is theirs to finalise.
  bool ours_ = false;

  Mutex mu_;
  ConditionVariable turn_ended_;
  bool turn_taken_ HALLMARK_GUARDED_BY(mu_) = false;
  std::vector<std::weak_ptr<ModuleUser>> users_ HALLMARK_GUARDED_BY(mu_);
  // How long users that serve are left alone after the next disturbance.
  std::chrono::seconds rest_ HALLMARK_GUARDED_BY(mu_){1};
  SteadyTime disturbed_ HALLMARK_GUARDED_BY(mu_){};
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
