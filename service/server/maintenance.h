// What a running daemon does by itself, once a minute: it ends keys that are due, and stores when
// keys were last used.
#pragma once

#include "keystate/key_store.h"
#include "service/app/deletion_sweeper.h"
#include "service/app/maintenance_ops.h"
#include "service/log/log.h"
#include "service/metrics/metrics.h"
#include "service/server/periodic_task.h"

#include <optional>
#include <stop_token>
#include <string>

namespace hallmark::service {

// Thread-safety: none but admin(), whose parts are safe; the server owns it.
class Maintenance {
 public:
  // Begins at once. `parts`, `log` and `metrics` outlive it.
  Maintenance(const app::DeletionSweeper::Parts& parts, const StoreImage& image, Log& log,
              Metrics& metrics);
  // To be ended once no call uses a key any more: what was noted of their use is stored.
  ~Maintenance();
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  app::MaintenanceAdmin& admin() { return admin_; }
  WallTime time_seen() const { return sweeper_.time_seen(); }

 private:
  void Work(const std::stop_token& stop);
  void FlushLastUsage();
  void Tell(app::DeletionSweeper::Event event, const std::string& text);

  const app::DeletionSweeper::Parts parts_;
  Log& log_;
  Metrics& metrics_;
  app::DeletionSweeper sweeper_;
  app::MaintenanceAdmin admin_;
  std::optional<PeriodicTask> task_;  // last: it works on the others
};

}  // namespace hallmark::service
