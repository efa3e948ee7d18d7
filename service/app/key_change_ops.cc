// Operations that change a key itself: its state and its description.
#include "keystate/key_state.h"
#include "service/app/enum_names.h"
#include "service/app/operation_functions.h"
#include "service/app/optimistic.h"
#include "service/app/pipeline.h"
#include "service/app/timestamps.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace hallmark::app {
namespace {

// Source: KMS API reference, ScheduleKeyDeletion.
constexpr int kDefaultWindowDays = 30;
constexpr int kShortestWindowDays = 7;
constexpr int kLongestWindowDays = 30;

// Changes the key that the call is about, and publishes it. `change` edits a copy of the newest
// version, or returns a refusal; a copy that it leaves as it was is not written.
//
// Returns the version that the call leaves behind. By then every MAC that is still queued will be
// decided again, and on this version.
template <class Change>
Result<KeyViewPtr> ChangeKey(Engine& engine, CallContext& call, const std::string& key_id,
                             const Change& change, const RequestContext& context = {}) {
  return UntilWon(engine, call, [&]() -> Result<KeyViewPtr> {
    HALLMARK_ASSIGN_OR_RETURN(KeyViewPtr view, AdmitKey(engine, call, key_id, context));
    auto next = std::make_shared<KeyView>(*view);
    HALLMARK_RETURN_IF_ERROR(change(*next));
    if (next->key == view->key) return view;
    HALLMARK_ASSIGN_OR_RETURN(next->key.revision, engine.store.Commit(std::array{Put(next->key)}));
    engine.keys.Publish(next);
    return KeyViewPtr(std::move(next));
  });
}

}  // namespace

Status EnableKey(Engine& engine, CallContext& call, const v1::EnableKeyRequest& request,
                 v1::EnableKeyResponse* /*response*/) {
  HALLMARK_RETURN_IF_ERROR(ChangeKey(engine, call, request.key_id(), [](KeyView& view) -> Status {
    view.key.state = KeyState::kEnabled;
    return {};
  }));
  return {};
}

Status DisableKey(Engine& engine, CallContext& call, const v1::DisableKeyRequest& request,
                  v1::DisableKeyResponse* /*response*/) {
  HALLMARK_RETURN_IF_ERROR(ChangeKey(engine, call, request.key_id(), [](KeyView& view) -> Status {
    view.key.state = KeyState::kDisabled;
    return {};
  }));
  return {};
}

Status UpdateKeyDescription(Engine& engine, CallContext& call,
                            const v1::UpdateKeyDescriptionRequest& request,
                            v1::UpdateKeyDescriptionResponse* /*response*/) {
  HALLMARK_RETURN_IF_ERROR(
      ChangeKey(engine, call, request.key_id(), [&request](KeyView& view) -> Status {
        view.key.description = request.description();
        return {};
      }));
  return {};
}

Status ScheduleKeyDeletion(Engine& engine, CallContext& call,
                           const v1::ScheduleKeyDeletionRequest& request,
                           v1::ScheduleKeyDeletionResponse* response) {
  const int days =
      request.has_pending_window_in_days() ? request.pending_window_in_days() : kDefaultWindowDays;
  RequestContext context;
  context.pending_window_days = days;
  const auto schedule = [&engine, days](KeyView& view) -> Status {
    if (days < kShortestWindowDays || days > kLongestWindowDays) {
      return Fail(Exception::kValidationException,
                  "PendingWindowInDays must be between " + std::to_string(kShortestWindowDays) +
                      " and " + std::to_string(kLongestWindowDays));
    }
    view.key.state = KeyState::kPendingDeletion;
    view.key.deletion_date =
        std::max(engine.clock.Now(), engine.time_seen()) + std::chrono::days(days);
    return {};
  };
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                            ChangeKey(engine, call, request.key_id(), schedule, context));
  response->set_key_id(view->arn);
  *response->mutable_deletion_date() = ToProto(*view->key.deletion_date);
  response->set_key_state(ToProto(view->key.state));
  response->set_pending_window_in_days(days);
  return {};
}

Status CancelKeyDeletion(Engine& engine, CallContext& call,
                         const v1::CancelKeyDeletionRequest& request,
                         v1::CancelKeyDeletionResponse* response) {
  const auto cancel = [](KeyView& view) -> Status {
    view.key.state = StateAfterCancellation(view.material.check_value.has_value());
    view.key.deletion_date.reset();
    return {};
  };
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                            ChangeKey(engine, call, request.key_id(), cancel));
  response->set_key_id(view->arn);
  return {};
}

}  // namespace hallmark::app
