// What a decision costs, and what compiling a policy costs.
#include "keystate/authorize.h"
#include "keystate/policy/pattern.h"
#include "keystate/policy/render.h"
#include "service/app/access.h"
#include "tests/keystate/policy/bench_policies.h"

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark {
namespace {

const AccountId kHome = *AccountId::Parse("111122223333");
constexpr std::string_view kKeyArn =
    "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

Policy CompileOrDie(std::string_view document, PolicyKind kind) {
  auto policy = Policy::Parse(document, kind);
  if (!policy) std::abort();
  return *std::move(policy);
}

// The worst of patterns: a piece of so many bytes that almost stands at every place of the text.
void BM_MatchAlmostEverywhere(benchmark::State& state) {
  const auto piece = static_cast<std::size_t>(state.range(0));
  const Pattern pattern("*" + std::string(piece - 2, 'a') + "?b*", LetterCase::kSensitive);
  const std::string text(static_cast<std::size_t>(state.range(1)), 'a');
  if (pattern.Matches(text)) std::abort();
  for (auto _ : state) benchmark::DoNotOptimize(pattern.Matches(text));
}
BENCHMARK(BM_MatchAlmostEverywhere)->ArgsProduct({{8, 33, 120}, {250, 2'000}});

// GenerateMac by a user whose identity policy has range(0) statements, of which the last allows it
// under five conditions; the key has the default policy.
void BM_AuthorizeGenerateMac(benchmark::State& state) {
  const Policy identity = CompileOrDie(testing::IdentityPolicyOf(static_cast<int>(state.range(0))),
                                       PolicyKind::kIdentity);
  const Policy key = CompileOrDie(DefaultKeyPolicy({"aws", "us-west-2"}, kHome), PolicyKind::kKey);
  const Caller caller{
      "arn:aws:iam::111122223333:user/service", kHome, "HMIDSERVICE", {}, {}, &identity};
  RequestContext context;
  context.mac_algorithm = MacAlgorithm::kHmacSha256;
  context.request_alias = "alias/app";
  context.source_ip = "192.0.2.9";
  context.secure_transport = true;
  context.current_time = WallTime(std::chrono::seconds(1'795'348'800));
  const AccessRequest request{caller, Operation::kGenerateMac, kHome, kKeyArn, context, &key};
  if (!Authorize(request).allowed) std::abort();
  for (auto _ : state) benchmark::DoNotOptimize(Authorize(request));
}
BENCHMARK(BM_AuthorizeGenerateMac)->Arg(1)->Arg(20)->Arg(100);

GrantRecord GrantTo(const std::string& grantee_id, std::uint32_t number) {
  std::array<std::byte, 32> id{};
  // Spread over all ids, as random ones are.
  const std::uint32_t spread = number * 2654435761U;
  std::memcpy(id.data(), &spread, sizeof(spread));
  std::memcpy(id.data() + 8, &number, sizeof(number));
  GrantRecord grant{.id = GrantId::FromRandom(id),
                    .key_id = KeyId::FromRandom({}),
                    .grantee_id = grantee_id,
                    .grantee = "arn:aws:iam::111122223333:user/" + grantee_id,
                    .issuing_account = kHome};
  grant.operations.Add(Operation::kGenerateMac);
  return grant;
}

GrantSet GrantsToOthers(std::int64_t count) {
  std::vector<GrantRecord> grants;
  for (std::int64_t i = 0; i < count; ++i) {
    grants.push_back(GrantTo("AIDA" + std::to_string(i), static_cast<std::uint32_t>(i)));
  }
  return GrantSet::Of(std::move(grants));
}

// GenerateMac by a user without a policy, on a key whose policy has twenty statements that do not
// help and that has range(0) grants, of which one does.
void BM_AuthorizeByGrant(benchmark::State& state) {
  PolicyCache policies;
  auto policy = policies.Get({.hash = "", .document = testing::KeyPolicyOf(20)}, PolicyKind::kKey);
  if (!policy) std::abort();
  const Site site{"aws", "us-west-2"};
  const Principal principal{
      {.unique_id = "AIDAGRANTEE",
       .arn = *PrincipalArn::Parse("arn:aws:iam::111122223333:user/grantee", site)},
      nullptr,
      {},
      {},
      {}};
  const KeyId id = KeyId::FromRandom({});
  KeyView view{.key = {.id = id, .account = kHome, .spec = KeySpec::kHmac256},
               .arn = std::string(kKeyArn),
               .material = {.key_id = id},
               .bindings = {},
               .tags = {}};
  view.grants = GrantsToOthers(state.range(0) - 1).With(GrantTo("AIDAGRANTEE", 0xffffffffU));
  view.policy = *policy;
  RequestContext context;
  context.mac_algorithm = MacAlgorithm::kHmacSha256;
  context.source_ip = "192.0.2.9";
  context.secure_transport = true;
  context.current_time = WallTime(std::chrono::seconds(1'795'348'800));
  const auto decide = [&] {
    const Caller caller = CallerOf(principal);
    const app::KeyGrants grants(view, principal, nullptr);
    return Authorize({caller, Operation::kGenerateMac, kHome, view.arn, context,
                      &view.policy->compiled, &grants});
  };
  const Decision decision = decide();
  if (!decision.allowed || decision.decider != Decider::kGrant) std::abort();
  for (auto _ : state) benchmark::DoNotOptimize(decide());
}
BENCHMARK(BM_AuthorizeByGrant)->Arg(10)->Arg(50'000);

// One more grant on a key that has range(0).
void BM_AddGrant(benchmark::State& state) {
  const GrantSet grants = GrantsToOthers(state.range(0));
  const GrantRecord grant = GrantTo("AIDAGRANTEE", 0xffffffffU);
  for (auto _ : state) benchmark::DoNotOptimize(grants.With(grant));
}
BENCHMARK(BM_AddGrant)->Arg(10)->Arg(50'000);

// A policy of range(0) bytes or a little less.
void BM_Compile(benchmark::State& state) {
  const std::string document =
      testing::IdentityPolicyUpTo(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(Policy::Parse(document, PolicyKind::kIdentity));
  }
  state.counters["bytes"] = static_cast<double>(document.size());
}
BENCHMARK(BM_Compile)->Arg(2048)->Arg(32768);

// The largest key policy that is all principals.
void BM_CompilePrincipals(benchmark::State& state) {
  std::string document =
      R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":{"AWS":[)";
  PolicyBindings bindings;
  while (document.size() < Policy::kMaxBytes - 60) {
    const std::string arn = "arn:aws:iam::111122223333:user/" + std::to_string(bindings.size());
    document += (bindings.empty() ? "\"" : ",\"") + arn + "\"";
    bindings.push_back({arn, "HMID" + std::to_string(bindings.size())});
  }
  document += "]}}}";
  for (auto _ : state) {
    auto policy = Policy::Parse(document, PolicyKind::kKey, bindings);
    if (!policy) std::abort();
    benchmark::DoNotOptimize(policy);
  }
  state.counters["bytes"] = static_cast<double>(document.size());
}
BENCHMARK(BM_CompilePrincipals);

}  // namespace
}  // namespace hallmark
