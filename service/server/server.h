// The composition root: the one place that names concrete classes, and the order of start and stop.
#pragma once

#include "keystate/result.h"
#include "service/config/config.h"
#include "service/server/start_error.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::service {

// A running daemon.
//
// Thread-safety: none; main owns it.
class Server {
 public:
  // Serves when it returns. After a failure nothing is left running, and no socket, lock or
  // endpoints file remains. `ask_for_end` is called, on any thread, when only a new process can
  // help; it must not block.
  static Result<std::unique_ptr<Server>, StartError> Start(const Config& config,
                                                           std::function<void()> ask_for_end);

  // Takes over what can be taken over of the file that was read again; see service/server/reload.h.
  void Reload(const Result<Config, std::vector<ConfigError>>& wanted);

  // Drains: refuses what is new, lets calls end within the drain timeout, then closes everything.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hallmark::service
