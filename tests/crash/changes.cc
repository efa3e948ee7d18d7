#include "tests/crash/changes.h"

#include <memory>
#include <utility>

namespace hallmark::testing {
namespace {

template <class Request, class Response>
std::function<Outcome()> Asks(Bench& bench,
                              grpc::Status (v1::KeyService::Stub::*method)(grpc::ClientContext*,
                                                                           const Request&,
                                                                           Response*),
                              Request request) {
  return [&bench, method, request = std::move(request)] {
    Response response;
    return bench.client().Call(method, request, &response);
  };
}

// How a key of a state looks.
struct Looks {
  const char* state;
  const char* use;
  bool ends;
};
constexpr Looks kEnabled{"KEY_STATE_ENABLED", "OK", false};
constexpr Looks kDisabled{"KEY_STATE_DISABLED", "DisabledException", false};
constexpr Looks kPendingDeletion{"KEY_STATE_PENDING_DELETION", "KMSInvalidStateException", true};

// The Sid of the policy of a key that was made without one.
constexpr const char* kDefaultPolicy = "Enable IAM User Permissions";

std::function<void(World*, const World&)> ToState(const std::string& key_id, const Looks& looks) {
  return [key_id, looks](World* world, const World&) {
    KeyFacts& key = world->keys[key_id];
    key.state = looks.state;
    key.use = looks.use;
    key.ends = looks.ends;
  };
}

}  // namespace

Change CreatesKey(Bench& bench) {
  v1::CreateKeyRequest request = CreateKeyRequestFor(KeySpec::kHmac256);
  const std::string name = "key number " + std::to_string(bench.NewNumber());
  request.set_description(name);
  request.set_client_token(name);
  v1::Tag* tag = request.add_tags();
  tag->set_tag_key("made");
  tag->set_tag_value(name);
  const auto answered = std::make_shared<std::string>();
  return {[&bench, request, answered] {
            v1::CreateKeyResponse response;
            Outcome outcome =
                bench.client().Call(&v1::KeyService::Stub::CreateKey, request, &response);
            if (outcome.ok()) *answered = response.key_metadata().key_id();
            return outcome;
          },
          [name, answered](World* world, const World& seen) {
            std::string id = answered->empty() ? "new" : *answered;
            // Not told its id, we know the key by what was asked. If there are two, the second is
            // one too many.
            for (const auto& [other, key] : seen.keys) {
              if (id == "new" && key.description == name) id = other;
            }
            world->keys[id] = {kEnabled.state,   name, kEnabled.use,  kEnabled.ends,
                               {{"made", name}}, {},   kDefaultPolicy};
          }};
}

Change CreatesAlias(Bench& bench, const std::string& key_id) {
  v1::CreateAliasRequest request;
  request.set_alias_name("alias/number-" + std::to_string(bench.NewNumber()));
  request.set_target_key_id(key_id);
  return {Asks(bench, &v1::KeyService::Stub::CreateAlias, request),
          [request](World* world, const World&) {
            world->aliases[request.alias_name()] = request.target_key_id();
          }};
}

Change PointsAlias(Bench& bench, const std::string& name, const std::string& key_id) {
  v1::UpdateAliasRequest request;
  request.set_alias_name(name);
  request.set_target_key_id(key_id);
  return {Asks(bench, &v1::KeyService::Stub::UpdateAlias, request),
          [name, key_id](World* world, const World&) { world->aliases[name] = key_id; }};
}

Change DeletesAlias(Bench& bench, const std::string& name) {
  v1::DeleteAliasRequest request;
  request.set_alias_name(name);
  return {Asks(bench, &v1::KeyService::Stub::DeleteAlias, request),
          [name](World* world, const World&) { world->aliases.erase(name); }};
}

Change Enables(Bench& bench, const std::string& key_id) {
  v1::EnableKeyRequest request;
  request.set_key_id(key_id);
  return {Asks(bench, &v1::KeyService::Stub::EnableKey, request), ToState(key_id, kEnabled)};
}

Change Disables(Bench& bench, const std::string& key_id) {
  v1::DisableKeyRequest request;
  request.set_key_id(key_id);
  return {Asks(bench, &v1::KeyService::Stub::DisableKey, request), ToState(key_id, kDisabled)};
}

Change SchedulesDeletion(Bench& bench, const std::string& key_id) {
  v1::ScheduleKeyDeletionRequest request;
  request.set_key_id(key_id);
  request.set_pending_window_in_days(7);
  return {Asks(bench, &v1::KeyService::Stub::ScheduleKeyDeletion, request),
          ToState(key_id, kPendingDeletion)};
}

Change CancelsDeletion(Bench& bench, const std::string& key_id) {
  v1::CancelKeyDeletionRequest request;
  request.set_key_id(key_id);
  return {Asks(bench, &v1::KeyService::Stub::CancelKeyDeletion, request),
          ToState(key_id, kDisabled)};
}

Change Describes(Bench& bench, const std::string& key_id) {
  v1::UpdateKeyDescriptionRequest request;
  request.set_key_id(key_id);
  request.set_description("description number " + std::to_string(bench.NewNumber()));
  return {Asks(bench, &v1::KeyService::Stub::UpdateKeyDescription, request),
          [request](World* world, const World&) {
            world->keys[request.key_id()].description = request.description();
          }};
}

Change Tags(Bench& bench, const std::string& key_id, const std::string& tag_key) {
  v1::TagResourceRequest request;
  request.set_key_id(key_id);
  v1::Tag* tag = request.add_tags();
  tag->set_tag_key(tag_key);
  tag->set_tag_value(std::to_string(bench.NewNumber()));
  return {Asks(bench, &v1::KeyService::Stub::TagResource, request),
          [key_id, tag = *tag](World* world, const World&) {
            world->keys[key_id].tags[tag.tag_key()] = tag.tag_value();
          }};
}

Change Untags(Bench& bench, const std::string& key_id, const std::string& tag_key) {
  v1::UntagResourceRequest request;
  request.set_key_id(key_id);
  request.add_tag_keys(tag_key);
  return {
      Asks(bench, &v1::KeyService::Stub::UntagResource, request),
      [key_id, tag_key](World* world, const World&) { world->keys[key_id].tags.erase(tag_key); }};
}

namespace {

v1::CreateGrantRequest GrantRequestOn(Bench& bench, const std::string& key_id) {
  v1::CreateGrantRequest request;
  request.set_key_id(key_id);
  request.set_grantee_principal(TestDaemon::kAdmin);
  request.set_retiring_principal(TestDaemon::kAdmin);
  request.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
  request.set_name("grant-number-" + std::to_string(bench.NewNumber()));
  request.set_client_token(request.name());
  return request;
}

// RetireGrant and RevokeGrant ask for the same in the same words.
template <class Request>
Request Ending(const NewGrant& grant) {
  Request request;
  request.set_key_id(grant.key_id);
  request.set_grant_id(grant.id);
  return request;
}

std::function<void(World*, const World&)> Without(const NewGrant& grant) {
  return
      [grant](World* world, const World&) { world->keys[grant.key_id].grants.erase(grant.name); };
}

}  // namespace

Change CreatesGrant(Bench& bench, const std::string& key_id) {
  const v1::CreateGrantRequest request = GrantRequestOn(bench, key_id);
  return {Asks(bench, &v1::KeyService::Stub::CreateGrant, request),
          [request](World* world, const World&) {
            world->keys[request.key_id()].grants[request.name()] = request.grantee_principal();
          }};
}

NewGrant MakesGrant(Bench& bench) {
  const v1::CreateGrantRequest request = GrantRequestOn(bench, CreateKey(bench.client()));
  v1::CreateGrantResponse response;
  const Outcome outcome =
      bench.client().Call(&v1::KeyService::Stub::CreateGrant, request, &response);
  EXPECT_TRUE(outcome.ok()) << outcome;
  return {request.key_id(), response.grant_id(), request.name()};
}

Change RetiresGrant(Bench& bench, const NewGrant& grant) {
  return {Asks(bench, &v1::KeyService::Stub::RetireGrant, Ending<v1::RetireGrantRequest>(grant)),
          Without(grant)};
}

Change RevokesGrant(Bench& bench, const NewGrant& grant) {
  return {Asks(bench, &v1::KeyService::Stub::RevokeGrant, Ending<v1::RevokeGrantRequest>(grant)),
          Without(grant)};
}

Change PutsPolicy(Bench& bench, const std::string& key_id) {
  const std::string sid = "Number" + std::to_string(bench.NewNumber());
  v1::PutKeyPolicyRequest request;
  request.set_key_id(key_id);
  request.set_policy(R"({"Version":"2012-10-17","Statement":[{"Sid":")" + sid +
                     R"(","Effect":"Allow","Principal":{"AWS":")" + TestDaemon::kAdmin +
                     R"("},"Action":"kms:*","Resource":"*"}]})");
  return {Asks(bench, &v1::KeyService::Stub::PutKeyPolicy, request),
          [key_id, sid](World* world, const World&) { world->keys[key_id].policy_name = sid; }};
}

Change AddsPrincipal(Bench& bench) {
  const std::string arn =
      "arn:aws:iam::111122223333:user/Number" + std::to_string(bench.NewNumber());
  const PemPair credentials = bench.daemon().authority().IssueClient();
  return {[&bench, arn, credentials] {
            return bench.daemon().TryAddPrincipal(arn, TestDaemon::kAllowAll,
                                                  credentials.certificate);
          },
          [arn, fingerprint = FingerprintOf(credentials.certificate)](World* world, const World&) {
            world->principals[arn] = fingerprint;
          }};
}

Change RemovesPrincipal(Bench& bench, const std::string& arn) {
  return {[&bench, arn] { return bench.daemon().RemovePrincipal(arn); },
          [arn](World* world, const World&) { world->principals.erase(arn); }};
}

Change DeletesWhatIsDue(Bench& bench) {
  const std::string key = CreateKey(bench.client());
  EXPECT_TRUE(CreatesAlias(bench, key).ask().ok());
  EXPECT_TRUE(Tags(bench, key, "gone soon").ask().ok());
  EXPECT_TRUE(SchedulesDeletion(bench, key).ask().ok());
  const World before = bench.Observe();
  bench.daemon().Kill();
  bench.ChangeStore("UPDATE key SET deletion_date = created WHERE key_id = '" + key + "'");
  const auto gone = [&bench, key] { return !bench.HasRecordOf(key); };
  return {[&bench, gone] {
            const Outcome started = bench.TryStart();
            if (!started.ok()) return started;
            EXPECT_TRUE(Eventually([&] { return bench.ended() || gone(); }, 30s));
            return bench.ended() ? kLost : Outcome();
          },
          [key](World* world, const World&) {
            world->keys.erase(key);
            std::erase_if(world->aliases, [&](const auto& alias) { return alias.second == key; });
          },
          before, gone,
          // What a start does before that has a table of its own.
          "write hallmark.db-wal"};
}

Change StartsAfterCrash(Bench& bench) {
  const World before = bench.Observe();
  // The key is on the token, and its binding still says that it is being made.
  bench.kills().Arm({0, 1, false, "syncfs tokens"});
  EXPECT_TRUE(IsLost(CreatesKey(bench).ask()));
  EXPECT_TRUE(bench.Died());
  return {[&bench] { return bench.TryStart(); }, [](World*, const World&) {}, before};
}

Change Stops(Bench& bench) {
  return {[&bench] { return bench.Stop(); }, [](World*, const World&) {}};
}

}  // namespace hallmark::testing
