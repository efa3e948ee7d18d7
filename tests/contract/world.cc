#include "tests/contract/world.h"

#include "tests/contract/kms_json.h"

#include <array>
#include <cstdlib>
#include <utility>

namespace hallmark::testing {
namespace {

struct CallerRow {
  const char* name;
  const char* arn;
  // Of a session: its session policy.
  const char* policy;
};

// Roles before their sessions.
constexpr std::array kCallers{
    CallerRow{"admin", TestDaemon::kAdmin, TestDaemon::kAllowAll},
    CallerRow{"root", "arn:aws:iam::111122223333:root", ""},
    CallerRow{"nobody", "arn:aws:iam::111122223333:user/Nobody", ""},
    CallerRow{"grantee", "arn:aws:iam::111122223333:user/Grantee", ""},
    CallerRow{
        "denied", "arn:aws:iam::111122223333:user/Denied",
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"},
            {"Effect":"Deny","Action":["kms:GenerateMac","kms:VerifyMac","kms:RetireGrant"],"Resource":"*"}]})"},
    CallerRow{"clerk", "arn:aws:iam::111122223333:role/Clerk", TestDaemon::kAllowAll},
    CallerRow{"clerk_free", "arn:aws:sts::111122223333:assumed-role/Clerk/free", ""},
    CallerRow{
        "clerk_limited", "arn:aws:sts::111122223333:assumed-role/Clerk/limited",
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"*"},
            {"Effect":"Deny","Action":"kms:VerifyMac","Resource":"*"}]})"},
    CallerRow{"foreigner", "arn:aws:iam::444455556666:user/Foreigner", TestDaemon::kAllowAll},
    CallerRow{"foreign_root", "arn:aws:iam::444455556666:root", ""},
    CallerRow{"foreign_nobody", "arn:aws:iam::444455556666:user/Nobody", ""},
    CallerRow{
        "guarded_foreigner", "arn:aws:iam::444455556666:user/Guarded",
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
            {"Effect":"Deny","Action":"*","Resource":"arn:aws:kms:us-west-2:111122223333:key/*"}]})"},
};

}  // namespace

World::World() {
  daemon_.Start();
  for (const CallerRow& row : kCallers) Add(row.name, row.arn, row.policy);
}

const Client& World::ClientFor(const std::string& caller) const {
  const auto found = callers_.find(caller);
  if (found == callers_.end()) throw CaseError("no such caller: " + caller);
  return found->second.client;
}

AwsClient& World::AwsClientFor(const std::string& caller) {
  const auto found = callers_.find(caller);
  if (found == callers_.end()) throw CaseError("no such caller: " + caller);
  return found->second.aws_client;
}

std::string World::UniqueIdOf(const std::string& arn) const {
  const auto channel = grpc::CreateChannel("unix:" + (daemon_.home() / "admin.sock").string(),
                                           grpc::InsecureChannelCredentials());
  v1::GetPrincipalRequest request;
  request.set_arn(arn);
  v1::GetPrincipalResponse response;
  grpc::ClientContext context;
  const Outcome shown =
      OutcomeOf(v1::AdminService::NewStub(channel)->GetPrincipal(&context, request, &response));
  if (!shown.ok()) throw CaseError("cannot look at " + arn + ": " + shown.message);
  return response.principal().unique_id();
}

void World::Add(const std::string& caller, const std::string& arn, const std::string& policy) {
  if (callers_.count(caller) != 0) throw CaseError("there is such a caller already: " + caller);
  Client client = daemon_.AddPrincipal(arn, policy);
  AwsClient aws_client = daemon_.ConnectAws(client.access_key);
  callers_.emplace(caller, Caller{arn, UniqueIdOf(arn), std::move(client), std::move(aws_client)});
}

void World::Remove(const std::string& caller) {
  const auto found = callers_.find(caller);
  if (found == callers_.end()) throw CaseError("no such caller: " + caller);
  const Outcome removed = daemon_.RemovePrincipal(found->second.arn);
  if (!removed.ok()) throw CaseError("cannot remove " + caller + ": " + removed.message);
  callers_.erase(found);
}

std::map<std::string, std::string> World::Variables() const {
  std::map<std::string, std::string> variables{{"account", TestDaemon::kAccount}};
  for (const auto& [name, caller] : callers_) {
    variables["arn:" + name] = caller.arn;
    variables["id:" + name] = caller.unique_id;
  }
  return variables;
}

void World::SetState(const std::string& key_id, const std::string& state) {
  const std::map<std::string, KeyState> states{{"Disabled", KeyState::kDisabled},
                                               {"PendingDeletion", KeyState::kPendingDeletion},
                                               {"PendingImport", KeyState::kPendingImport}};
  const auto wanted = states.find(state);
  if (wanted == states.end()) throw CaseError("no such state: " + state);
  if (daemon_.Stop() != 0) std::abort();
  daemon_.SetKeyState(key_id, wanted->second);
  daemon_.Start();
  for (auto& [name, caller] : callers_) {
    const AccessKey access_key = caller.client.access_key;
    caller.client = daemon_.Connect(caller.client.credentials);
    caller.client.access_key = access_key;
    caller.aws_client = daemon_.ConnectAws(access_key);
  }
}

}  // namespace hallmark::testing
