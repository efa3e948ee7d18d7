// What a decision about a call rests on: who calls, about what, and what conditions may ask.
#pragma once

#include "keystate/authorize.h"
#include "keystate/grants/grant_set.h"
#include "keystate/key_view.h"
#include "keystate/principal_directory.h"
#include "service/app/call_context.h"
#include "service/app/engine.h"
#include "service/app/given_context.h"

#include <optional>
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

// The part of a context that every call has; the address of one that is only thought of is absent.
// `call` is borrowed.
void FillFromCall(const Engine& engine, const CallContext& call, RequestContext* context);
// The part that a key has. `view` and `aliases` are borrowed.
void FillFromKey(const KeyView& view, const KeyAliases& aliases, RequestContext* context);

// Who asks authorization for what.
struct Asker {
  const Engine& engine;
  const CallContext& call;
  const Principal& caller;
  Operation operation;
  // What the request says itself; the rest is filled in.
  const RequestContext& context;
  // Null: the call is as it is. Otherwise what counts in its place.
  GivenContext* given = nullptr;
};

// A question to authorization, with all that it borrows: the one place that makes an AccessRequest
// of a call. The asker's parts, the account, the ARN and the view must outlive it.
class Question {
 public:
  // About what is not a key, or about a key of which nothing is known but what was sent.
  Question(const Asker& asker, const AccountId& account, std::string_view resource_arn);
  // About a key. With `child`, CreateGrant of this grant.
  Question(const Asker& asker, const KeyView& view, const GrantRecord* child = nullptr);
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  const AccessRequest& access() const { return access_; }
  // In the place of the key's own; null: no grants. `grants` must outlive the question.
  void UseGrants(const GrantSource* grants) { access_.grants = grants; }
  // For what-if: a caller with other policies.
  Caller& caller() { return caller_; }

 private:
  RequestContext context_;
  Caller caller_;
  std::optional<KeyAliases> aliases_;
  std::optional<KeyGrants> grants_;
  AccessRequest access_;
};

// The statement or grant that decided, with its kind: "key policy: Let Alice in". Empty: nothing
// matched.
std::string DecidedBy(const Decision& decision);

// The address of "127.0.0.1:41234" and "[::1]:41234".
std::string_view AddressOf(std::string_view peer);

}  // namespace hallmark::app
