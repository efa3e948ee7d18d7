#include "service/app/maintenance_ops.h"

#include "keystate/bytes.h"
#include "service/app/timestamps.h"
#include "service/app/token_inventory.h"

#include <algorithm>
#include <vector>

namespace hallmark::app {
namespace {

void Fill(const DeletionSweeper& sweeper, v1::Sweeper* out) {
  const DeletionSweeper::State state = sweeper.state();
  out->set_halted(state.halted);
  *out->mutable_time_seen() = ToProto(state.time_seen);
  out->set_keys_due(static_cast<std::int64_t>(state.due));
  out->set_keys_being_destroyed(static_cast<std::int64_t>(state.being_destroyed));
}

}  // namespace

Status GetSweeper(MaintenanceAdmin& admin, const v1::GetSweeperRequest& /*request*/,
                  v1::GetSweeperResponse* response) {
  Fill(admin.sweeper, response->mutable_sweeper());
  return {};
}

Status ResumeSweeper(MaintenanceAdmin& admin, const v1::ResumeSweeperRequest& /*request*/,
                     v1::ResumeSweeperResponse* response) {
  HALLMARK_RETURN_IF_ERROR(admin.sweeper.Resume());
  admin.sweep_now();
  Fill(admin.sweeper, response->mutable_sweeper());
  return {};
}

Status ListOrphans(MaintenanceAdmin& admin, const v1::ListOrphansRequest& /*request*/,
                   v1::ListOrphansResponse* response) {
  std::vector<std::vector<Bytes>> listed;
  for (const TokenSet::Token& token : admin.tokens.tokens()) {
    listed.push_back(token.hsm().ListKeys());
  }
  HALLMARK_ASSIGN_OR_RETURN(const StoreImage image, admin.store.Load());
  auto of_token = listed.begin();
  for (const TokenSet::Token& token : admin.tokens.tokens()) {
    // What was destroyed meanwhile, with its record, is none.
    const std::vector<Bytes> still_listed = token.hsm().ListKeys();
    for (const Bytes& id : TakeInventory(*of_token++, image, token.hsm()).orphans) {
      if (std::find(still_listed.begin(), still_listed.end(), id) == still_listed.end()) continue;
      v1::TokenObject* object = response->add_objects();
      object->set_token(token.id());
      object->set_cka_id(ToHex(id));
    }
  }
  return {};
}

}  // namespace hallmark::app
