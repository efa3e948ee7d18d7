// Callers, policies and grants for tests of authorization: two accounts, a key in the first.
#pragma once

#include "keystate/authorize.h"
#include "keystate/policy/policy.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::testing {

inline const AccountId kHome = *AccountId::Parse("111122223333");
inline const AccountId kAbroad = *AccountId::Parse("444455556666");
inline const AccountId kThird = *AccountId::Parse("777788889999");
inline constexpr std::string_view kKeyArn =
    "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

struct TestTag {
  std::string key;
  std::string value;
};

// Who can call, with what never changes about it.
struct TestCaller {
  std::string arn;
  AccountId account;
  std::string unique_id;
  std::string role_id{};
  std::string role_arn{};
  std::vector<TestTag> tags{};
};

inline const TestCaller kRoot{"arn:aws:iam::111122223333:root", kHome, "HMIDROOT"};
inline const TestCaller kAlice{"arn:aws:iam::111122223333:user/staff/alice",
                               kHome,
                               "HMIDALICE",
                               {},
                               {},
                               {{"team", "red"}, {"odd", "a*b"}}};
inline const TestCaller kCarol{"arn:aws:iam::111122223333:user/carol", kHome, "HMIDCAROL"};
inline const TestCaller kSession{"arn:aws:sts::111122223333:assumed-role/signer/one", kHome,
                                 "HMIDSIGNER:one", "HMIDSIGNER",
                                 "arn:aws:iam::111122223333:role/signer"};
inline const TestCaller kOtherSession{"arn:aws:sts::111122223333:assumed-role/signer/two", kHome,
                                      "HMIDSIGNER:two", "HMIDSIGNER",
                                      "arn:aws:iam::111122223333:role/signer"};
// With a credential of its own.
inline const TestCaller kRole{"arn:aws:iam::111122223333:role/signer",
                              kHome,
                              {},
                              "HMIDSIGNER",
                              "arn:aws:iam::111122223333:role/signer"};
inline const TestCaller kBob{"arn:aws:iam::444455556666:user/bob", kAbroad, "HMIDBOB"};
inline const TestCaller kForeignRoot{"arn:aws:iam::444455556666:root", kAbroad, "HMIDROOT4"};
inline const TestCaller kForeignSession{"arn:aws:sts::444455556666:assumed-role/guest/one", kAbroad,
                                        "HMIDGUEST:one", "HMIDGUEST",
                                        "arn:aws:iam::444455556666:role/guest"};

// The bindings of every principal that documents of tests name.
inline PolicyBindings AllBindings() {
  PolicyBindings bindings;
  for (const TestCaller* caller :
       {&kAlice, &kCarol, &kSession, &kOtherSession, &kBob, &kForeignSession}) {
    bindings.push_back({caller->arn, caller->unique_id});
  }
  bindings.push_back({kSession.role_arn, kSession.role_id});
  bindings.push_back({kForeignSession.role_arn, kForeignSession.role_id});
  return bindings;
}

// {"Version":"2012-10-17","Statement":[…]}; nothing for no statement.
inline std::unique_ptr<const Policy> Compile(const std::string& statements, PolicyKind kind) {
  if (statements.empty()) return nullptr;
  auto policy = Policy::Parse(R"({"Version":"2012-10-17","Statement":[)" + statements + "]}", kind,
                              kind == PolicyKind::kKey ? AllBindings() : PolicyBindings());
  if (!policy) {
    ADD_FAILURE() << ToString(policy.error()) << " in " << statements;
    return nullptr;
  }
  return std::make_unique<const Policy>(*std::move(policy));
}

struct TestGrant {
  std::string id;
  bool to_session = false;
  AccountId issuing_account = kHome;
};

// A grant source that holds what it is told and counts how often it is asked.
class FakeGrants : public GrantSource {
 public:
  explicit FakeGrants(std::vector<TestGrant> grants) : grants_(std::move(grants)) {}
  void VisitGrants(const AccessRequest& /*request*/, GrantVisitor& visitor) const override {
    ++asked_;
    for (const TestGrant& grant : grants_) {
      if (!visitor.Visit({grant.id, grant.to_session, grant.issuing_account})) return;
    }
  }
  int asked() const { return asked_; }

 private:
  std::vector<TestGrant> grants_;
  mutable int asked_ = 0;
};

// A request with all that it borrows.
struct World {
  const TestCaller* who = &kAlice;
  Operation operation = Operation::kGenerateMac;
  // Statements, separated by commas; empty: there is no such policy.
  std::string key{};
  std::string identity{};
  std::string boundary{};
  std::string session{};
  std::vector<TestGrant> grants{};
  AccountId resource_account = kHome;
  std::string_view resource_arn = kKeyArn;
  RequestContext context{};

  // Calls `use` with the request.
  template <class Use>
  auto With(Use use) const {
    const auto key_policy = Compile(key, PolicyKind::kKey);
    const auto identity_policy = Compile(identity, PolicyKind::kIdentity);
    const auto boundary_policy = Compile(boundary, PolicyKind::kIdentity);
    const auto session_policy = Compile(session, PolicyKind::kIdentity);
    const FakeGrants fake(grants);
    const Caller caller{
        who->arn,          who->account,          who->unique_id,        who->role_id,
        who->role_arn,     identity_policy.get(), boundary_policy.get(), session_policy.get(),
        TagList(who->tags)};
    const AccessRequest request{
        caller, operation, resource_account, resource_arn, context, key_policy.get(), &fake};
    return use(request);
  }
};

inline std::string NameOf(Decider decider) {
  switch (decider) {
    case Decider::kNothing:
      return "nothing";
    case Decider::kKeyPolicy:
      return "key policy";
    case Decider::kIdentityPolicy:
      return "identity policy";
    case Decider::kPermissionsBoundary:
      return "boundary";
    case Decider::kSessionPolicy:
      return "session policy";
    case Decider::kGrant:
      return "grant";
  }
  return "";
}

inline std::string NameOf(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      return "";
    case Refusal::kExplicitDeny:
      return "explicit deny";
    case Refusal::kNoIdentityPolicyAllows:
      return "no identity policy allows";
    case Refusal::kNoResourcePolicyAllows:
      return "no resource policy allows";
    case Refusal::kNoBoundaryAllows:
      return "no boundary allows";
    case Refusal::kNoSessionPolicyAllows:
      return "no session policy allows";
    case Refusal::kForeignResource:
      return "foreign resource";
  }
  return "";
}

// "allowed: key policy K1", "no identity policy allows", "explicit deny: identity policy I1".
inline std::string ToText(const Decision& decision) {
  const std::string decider = NameOf(decision.decider) + " " + std::string(decision.because);
  if (decision.allowed) return "allowed: " + decider;
  const std::string refusal = NameOf(decision.refusal);
  return decision.explicit_deny ? refusal + ": " + decider : refusal;
}

inline std::string Decide(const World& world) {
  return world.With([](const AccessRequest& request) { return ToText(Authorize(request)); });
}

}  // namespace hallmark::testing
