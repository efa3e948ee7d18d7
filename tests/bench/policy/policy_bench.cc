// What a decision costs, and what compiling a policy costs.
#include "keystate/authorize.h"
#include "keystate/policy/render.h"
#include "tests/keystate/policy/bench_policies.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

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
