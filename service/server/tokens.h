// The tokens of the configuration, opened.
#pragma once

#include "keystate/clock.h"
#include "keystate/hsm.h"
#include "keystate/key_store.h"
#include "keystate/sealer.h"
#include "keystate/token_set.h"
#include "service/config/config.h"
#include "service/log/log.h"
#include "service/server/start_error.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::service {

// Thread-safety: none but that of set() and sealer(); the server owns it.
class Tokens {
 public:
  // All but the configuration outlive the tokens.
  struct Parts {
    const Config& config;
    const StoreImage& image;
    KeyStore& store;
    const std::string& instance_id;
    const Clock& clock;
    std::shared_ptr<Log> log;
    // Called, on any thread, when only a new process can go on: too many calls hang.
    std::function<void()> ask_for_end;
  };

  // The default token must be there, since its anchor seals. Another one that is absent is taken up
  // when it appears, and what the store says is compared with it then.
  static Result<std::unique_ptr<Tokens>, StartError> Open(const Parts& parts);

  TokenSet& set() { return *set_; }
  Sealer& sealer() { return *sealer_; }
  // Those that were there.
  const std::vector<Hsm*>& present() const { return present_; }

  // Ends the tokens' threads; nothing may ask a token any more.
  void Close();

 private:
  std::vector<std::unique_ptr<Hsm>> hsms_;
  std::vector<Hsm*> present_;
  std::unique_ptr<Sealer> sealer_;
  std::optional<TokenSet> set_;
};

}  // namespace hallmark::service
