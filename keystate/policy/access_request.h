// Who asks for what: the input of a decision.
#pragma once

#include "keystate/ids.h"
#include "keystate/operation.h"
#include "keystate/policy/request_context.h"

#include <string_view>

namespace hallmark {

class Policy;

// Who calls, with the policies that are attached to it. Borrows everything.
struct Caller {
  std::string_view arn;
  AccountId account;
  // Of an assumed-role session "<role's unique id>:<session name>"; empty for a role that calls for
  // itself, which counts as a session that nothing can name.
  std::string_view unique_id;
  // Of the role, when the caller is an assumed-role session; empty otherwise.
  std::string_view role_id{};
  std::string_view role_arn{};
  // Null: there is none. A session has its role's identity policy and permissions boundary, and a
  // session policy of its own.
  const Policy* identity_policy = nullptr;
  const Policy* permissions_boundary = nullptr;
  const Policy* session_policy = nullptr;
  TagList tags{};
  // False: aws:userid is absent. For what-if questions of somebody who may not learn it.
  bool shows_user_id = true;

  bool is_session() const { return !role_id.empty(); }
  bool is_root() const { return arn.ends_with(":root"); }
};

struct AccessRequest;

// A grant for this caller that covers this operation, its constraints met.
struct GrantMatch {
  std::string_view grant_id;
  // The grantee is the session itself, not its role. Of RetireGrant: the caller may retire the
  // grant whatever its session policy and permissions boundary say.
  bool to_session = false;
  // The account of whoever made the grant.
  AccountId issuing_account;
};

class GrantVisitor {
 public:
  virtual ~GrantVisitor() = default;
  // False: no further grant is wanted.
  virtual bool Visit(const GrantMatch& grant) = 0;
};

// Where grants come into a decision. It is asked only when policies alone do not allow, and never
// after an explicit deny.
class GrantSource {
 public:
  virtual ~GrantSource() = default;
  // Visits every grant on the resource that covers the request, until the visitor has enough: a
  // grant to a role and one to its session differ in what can still stand in their way.
  virtual void VisitGrants(const AccessRequest& request, GrantVisitor& visitor) const = 0;
};

// Borrows everything.
struct AccessRequest {
  const Caller& caller;
  Operation operation;
  // Who owns the resource, and its ARN; "*" for an operation that is not bound to one.
  const AccountId& resource_account;
  std::string_view resource_arn;
  const RequestContext& context;
  // Null for what has none: an alias, an operation without a key, a key that does not exist.
  const Policy* key_policy = nullptr;
  const GrantSource* grants = nullptr;
};

}  // namespace hallmark
