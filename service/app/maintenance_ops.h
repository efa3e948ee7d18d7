// Administration of what a running daemon does by itself: AdminService serves it.
#pragma once

#include "hallmark/v1/admin.pb.h"
#include "keystate/key_store.h"
#include "keystate/result.h"
#include "keystate/token_set.h"
#include "service/app/deletion_sweeper.h"

#include <functional>

namespace hallmark::app {

// All outlive it.
struct MaintenanceAdmin {
  DeletionSweeper& sweeper;
  KeyStore& store;
  const TokenSet& tokens;
  // Makes the next sweep begin now.
  std::function<void()> sweep_now;
};

Status GetSweeper(MaintenanceAdmin& admin, const v1::GetSweeperRequest& request,
                  v1::GetSweeperResponse* response);
Status ResumeSweeper(MaintenanceAdmin& admin, const v1::ResumeSweeperRequest& request,
                     v1::ResumeSweeperResponse* response);
Status ListOrphans(MaintenanceAdmin& admin, const v1::ListOrphansRequest& request,
                   v1::ListOrphansResponse* response);

}  // namespace hallmark::app
