// Identity policies: an accepted document is compiled whole, and matching stays within its bounds.
#include "keystate/policy.h"
#include "tests/fuzz/promise.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace hallmark {
namespace {

constexpr std::string_view kArn =
    "arn:aws:kms:us-west-2:111122223333:key/7f4aba53-e15c-42ad-bafe-3359afae217d";

void CheckRefusal(const Error& error, std::string_view json) {
  HALLMARK_PROMISE(error.exception == Exception::kMalformedPolicyDocumentException);
  // The place and the reason: "statement 2: the element 'Condition' is not supported".
  HALLMARK_PROMISE(error.message.find(": ") != std::string::npos);
  HALLMARK_PROMISE(error.message.size() <= json.size() + 128);
}

void CheckAccepted(const IdentityPolicy& policy, std::string_view json) {
  HALLMARK_PROMISE(json.size() <= IdentityPolicy::kMaxBytes);
  HALLMARK_PROMISE(!policy.statements().empty());
  for (const Statement& statement : policy.statements()) {
    HALLMARK_PROMISE(!statement.id.empty());
    HALLMARK_PROMISE(!statement.actions.empty() && !statement.resources.empty());
    for (const Pattern& action : statement.actions) {
      // Actions know no case.
      HALLMARK_PROMISE(action.Matches("kms:GenerateMac") == action.Matches("KMS:generatemac"));
    }
    for (const Pattern& resource : statement.resources) static_cast<void>(resource.Matches(kArn));
  }
  // What surrounds a document says nothing.
  if (json.size() + 2 <= IdentityPolicy::kMaxBytes) {
    const auto again = IdentityPolicy::Parse(" " + std::string(json) + "\n");
    HALLMARK_PROMISE(again && again->statements().size() == policy.statements().size());
  }
}

}  // namespace
}  // namespace hallmark

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto policy = hallmark::IdentityPolicy::Parse(json);
  if (policy) {
    hallmark::CheckAccepted(*policy, json);
  } else {
    hallmark::CheckRefusal(policy.error(), json);
  }
  return 0;
}
