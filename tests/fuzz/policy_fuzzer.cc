// Policies of both kinds: an accepted document is compiled whole, a refusal says where and why, and
// what a key policy is shown as means the same.
#include "keystate/policy/policy.h"
#include "keystate/policy/render.h"
#include "tests/fuzz/promise.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark {
namespace {

const Site kSite{"aws", "us-west-2"};

void CheckRefusal(const Error& error, std::string_view json) {
  if (error.exception == Exception::kLimitExceededException) {
    HALLMARK_PROMISE(json.size() > Policy::kMaxBytes);
    return;
  }
  HALLMARK_PROMISE(error.exception == Exception::kMalformedPolicyDocumentException);
  // The place and the reason: "statement 2: the element 'Conditions' does not exist".
  HALLMARK_PROMISE(error.message.find(": ") != std::string::npos ||
                   error.message.ends_with("invalid principals."));
  // However long the document's names are; nested names make the place.
  HALLMARK_PROMISE(error.message.size() <= 2048);
  for (const char c : error.message) HALLMARK_PROMISE(static_cast<unsigned char>(c) >= 0x20);
}

void CheckAccepted(const Policy& policy, std::string_view json, const PolicyBindings& bindings) {
  HALLMARK_PROMISE(json.size() <= Policy::kMaxBytes);
  HALLMARK_PROMISE(!policy.statements().empty());
  for (const Statement& statement : policy.statements()) {
    HALLMARK_PROMISE(!statement.id.empty());
    HALLMARK_PROMISE(statement.principals.has_value() == (policy.kind() == PolicyKind::kKey));
    HALLMARK_PROMISE(statement.has_resource == !statement.resources.empty());
  }
  // What surrounds a document says nothing.
  if (json.size() + 2 <= Policy::kMaxBytes) {
    const auto again = Policy::Parse(" " + std::string(json) + "\n", policy.kind(), bindings);
    HALLMARK_PROMISE(again && again->statements().size() == policy.statements().size());
  }
}

// The documents that Parse gets are stored and given out again.
void CheckRendering(std::string_view json, const Policy& policy, const PolicyBindings& bindings) {
  const auto rendered = RenderKeyPolicy(
      json, bindings, [&](std::string_view id) { return std::optional<std::string>(id); });
  HALLMARK_PROMISE(rendered.has_value());
  // Indentation may carry it beyond the limit for what is put.
  if (rendered->size() > Policy::kMaxBytes) return;
  PolicyBindings by_id;
  for (const PrincipalBinding& binding : bindings) {
    by_id.push_back({binding.unique_id, binding.unique_id});
  }
  const auto again = Policy::Parse(*rendered, PolicyKind::kKey, by_id);
  HALLMARK_PROMISE(again && again->statements().size() == policy.statements().size());
  for (std::size_t i = 0; i < policy.statements().size(); ++i) {
    HALLMARK_PROMISE(again->statements()[i].operations == policy.statements()[i].operations);
    HALLMARK_PROMISE(again->statements()[i].id == policy.statements()[i].id);
  }
}

}  // namespace
}  // namespace hallmark

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hallmark;  // NOLINT(google-build-using-namespace): the entry point is outside
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto identity = Policy::Parse(json, PolicyKind::kIdentity);
  if (identity) {
    CheckAccepted(*identity, json, {});
  } else {
    CheckRefusal(identity.error(), json);
  }
  // Every principal exists, under an id of its own that no document would write.
  const auto bindings = BindPrincipals(json, kSite, [](std::string_view principal) {
    return std::optional<std::string>("HMID" +
                                      std::to_string(std::hash<std::string_view>()(principal)));
  });
  if (!bindings) {
    CheckRefusal(bindings.error(), json);
    return 0;
  }
  const auto key = Policy::Parse(json, PolicyKind::kKey, *bindings);
  HALLMARK_PROMISE(key.has_value());
  HALLMARK_PROMISE(!identity);
  CheckAccepted(*key, json, *bindings);
  CheckRendering(json, *key, *bindings);
  return 0;
}
