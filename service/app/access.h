// What a decision about a call rests on: who calls, about what, and what conditions may ask.
#pragma once

#include "keystate/authorize.h"
#include "keystate/grants/grant_set.h"
#include "keystate/key_view.h"
#include "keystate/principal_directory.h"
#include "service/app/call_context.h"
#include "service/app/engine.h"

#include <string>
#include <string_view>
#include <vector>

namespace hallmark::app {

// The grants of a key for which one caller could be the grantee.
class KeyGrants final : public GrantSource {
 public:
  // With `child`, the operation is CreateGrant, and a grant helps only as the child's parent.
  KeyGrants(const KeyView& view, const Principal& caller, const GrantRecord* child)
      : view_(view), caller_(GrantCaller::Of(caller.record)), child_(child) {}

  void VisitGrants(const AccessRequest& request, GrantVisitor& visitor) const override;

 private:
  bool VisitAllTo(std::string_view grantee_id, bool to_session, const GrantDemand& demand,
                  GrantVisitor& visitor) const;

  const KeyView& view_;
  const GrantCaller caller_;
  const GrantRecord* const child_;
};

// The aliases of a key, looked up when a policy asks for them.
class KeyAliases final : public ResourceAliases {
 public:
  KeyAliases(const Engine& engine, const KeyView& view) : engine_(engine), view_(view) {}
  std::vector<std::string> Names() const override;

 private:
  const Engine& engine_;
  const KeyView& view_;
};

// The part of a context that every call has. `call` is borrowed.
void FillFromCall(const Engine& engine, const CallContext& call, RequestContext* context);
// The part that a key has. `view` and `aliases` are borrowed.
void FillFromKey(const KeyView& view, const KeyAliases& aliases, RequestContext* context);

// The statement or grant that decided, with its kind: "key policy: Let Alice in". Empty: nothing
// matched.
std::string DecidedBy(const Decision& decision);

// The address of "127.0.0.1:41234" and "[::1]:41234".
std::string_view AddressOf(std::string_view peer);

}  // namespace hallmark::app
