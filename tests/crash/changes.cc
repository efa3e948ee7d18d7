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

}  // namespace

Change CreatesKey(Bench& bench) {
  v1::CreateKeyRequest request = CreateKeyRequestFor(KeySpec::kHmac256);
  const std::string name = "key number " + std::to_string(bench.NewNumber());
  request.set_description(name);
  request.set_client_token(name);
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
            world->keys[id] = {"KEY_STATE_ENABLED", name, "OK", false};
          }};
}

Change CreatesAlias(Bench& bench, const std::string& key_id) {
  v1::CreateAliasRequest request;
  request.set_alias_name(bench.NewAlias());
  request.set_target_key_id(key_id);
  return {Asks(bench, &v1::KeyService::Stub::CreateAlias, request),
          [request](World* world, const World&) {
            world->aliases[request.alias_name()] = request.target_key_id();
          }};
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
