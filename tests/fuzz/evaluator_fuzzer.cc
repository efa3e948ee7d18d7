// Decisions: whatever two policies say, an explicit deny wins, a decision names what decided, and
// its explanation agrees with it.
#include "keystate/policy/explain.h"
#include "tests/fuzz/promise.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark {
namespace {

const AccountId kHome = *AccountId::Parse("111122223333");
const AccountId kAbroad = *AccountId::Parse("444455556666");
constexpr std::string_view kArn =
    "arn:aws:kms:us-west-2:111122223333:key/7f4aba53-e15c-42ad-bafe-3359afae217d";
constexpr std::string_view kAlice = "arn:aws:iam::111122223333:user/alice";

struct Tag {
  std::string key;
  std::string value;
};

// A policy of one document, or none.
std::unique_ptr<const Policy> Compile(std::string_view json, PolicyKind kind) {
  auto policy = Policy::Parse(json, kind, {{std::string(kAlice), "HMIDALICE"}});
  if (!policy) return nullptr;
  return std::make_unique<const Policy>(*std::move(policy));
}

struct Matched {
  bool deny = false;
  bool allow = false;
};

Matched StatementsThatMatch(const Explanation& explanation) {
  Matched matched;
  for (const PolicyTrace& policy : explanation.policies) {
    for (const StatementTrace& statement : policy.statements) {
      HALLMARK_PROMISE((statement.mismatch == Mismatch::kNone) == statement.reason.empty());
      if (!policy.consulted || statement.mismatch != Mismatch::kNone) continue;
      (statement.effect == Effect::kDeny ? matched.deny : matched.allow) = true;
    }
  }
  return matched;
}

void Check(const AccessRequest& request) {
  const Decision decision = Authorize(request);
  const Explanation explanation = Explain(request);
  const Matched matched = StatementsThatMatch(explanation);
  HALLMARK_PROMISE(explanation.decision.allowed == decision.allowed);
  HALLMARK_PROMISE(explanation.decision.because == decision.because);
  HALLMARK_PROMISE(decision.explicit_deny == matched.deny);
  HALLMARK_PROMISE(!(decision.allowed && decision.explicit_deny));
  HALLMARK_PROMISE(decision.allowed == (decision.refusal == Refusal::kNone));
  HALLMARK_PROMISE((decision.allowed || decision.explicit_deny) == !decision.because.empty());
  if (decision.allowed) HALLMARK_PROMISE(matched.allow);
  // Across accounts both sides must allow.
  if (decision.allowed && request.caller.account != request.resource_account) {
    HALLMARK_PROMISE(request.key_policy != nullptr && request.caller.identity_policy != nullptr);
  }
}

}  // namespace
}  // namespace hallmark

// Two bytes that choose the operation and the caller, a value for texts of the request up to a
// newline, a document up to the next newline, then another document. Either may be a key policy.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hallmark;  // NOLINT(google-build-using-namespace): the entry point is outside
  if (size < 2) return 0;
  const auto operation = static_cast<Operation>(data[0] % kOperationCount);
  const bool home = (data[1] & 1U) != 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto line = [&rest] {
    const std::string_view taken = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(taken.size() + 1, rest.size()));
    return taken;
  };
  const std::string_view text = line();
  const std::string_view first = line();
  const auto key = Compile(first, PolicyKind::kKey);
  const auto identity = Compile(rest, PolicyKind::kIdentity);
  const auto limit = Compile(first, PolicyKind::kIdentity);

  const std::vector<Tag> tags{{"team", std::string(text)}};
  Caller caller{kAlice, home ? kHome : kAbroad, "HMIDALICE"};
  if ((data[1] & 2U) != 0) {
    caller.unique_id = "HMIDROLE:s";
    caller.role_id = "HMIDROLE";
    caller.role_arn = "arn:aws:iam::111122223333:role/r";
    caller.session_policy = limit.get();
  }
  caller.identity_policy = identity.get();
  caller.tags = TagList(tags);
  RequestContext context;
  context.request_alias = text;
  context.source_ip = text;
  context.source_arn = text;
  context.mac_algorithm = MacAlgorithm::kHmacSha256;
  context.key_spec = KeySpec::kHmac256;
  context.resource_tags = TagList(tags);
  context.request_tags = TagList(tags);
  context.current_time = WallTime(std::chrono::seconds(1'795'348'800));
  context.secure_transport = home;
  Check({caller, operation, kHome, kArn, context, key.get()});
  return 0;
}
