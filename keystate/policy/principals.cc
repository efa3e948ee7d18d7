#include "keystate/policy/principals.h"

#include "keystate/policy/malformed.h"

#include <algorithm>
#include <functional>

namespace hallmark {
namespace {

bool Contains(const std::vector<std::string>& sorted, std::string_view text) {
  return !text.empty() && std::binary_search(sorted.begin(), sorted.end(), text, std::less<>());
}

Status ForEachText(const JsonValue& value, const std::string& place,
                   const std::function<Status(std::string_view)>& visit) {
  const auto one = [&](const JsonValue& item) -> Status {
    if (!item.is_string() || item.text.empty()) {
      return MalformedPolicy(place, "expected a string or a list of strings, none of them empty");
    }
    return visit(item.text);
  };
  if (!value.is_array()) return one(value);
  if (value.items.empty()) {
    return MalformedPolicy(place, "expected a string or a list of strings, none of them empty");
  }
  for (const JsonValue& item : value.items) HALLMARK_RETURN_IF_ERROR(one(item));
  return {};
}

}  // namespace

Unexpected<Error> InvalidPrincipals() {
  return Fail(Exception::kMalformedPolicyDocumentException,
              "Policy contains a statement with one or more invalid principals.");
}

BindingIndex IndexOf(const PolicyBindings& bindings) {
  BindingIndex index;
  for (const PrincipalBinding& binding : bindings) index.emplace(binding.arn, binding.unique_id);
  return index;
}

WrittenPrincipal ReadPrincipal(std::string_view text) {
  if (text == "*") return {PrincipalForm::kEveryone};
  if (const auto account = AccountId::Parse(text)) return {PrincipalForm::kAccount, account};
  // arn:<partition>:iam::<account>:root
  constexpr std::string_view kArn = "arn:";
  constexpr std::string_view kIam = ":iam::";
  constexpr std::size_t kAccountDigits = 12;
  const std::size_t partition_end = text.find(':', std::min(kArn.size(), text.size()));
  if (text.starts_with(kArn) && partition_end != std::string_view::npos &&
      text.substr(partition_end).starts_with(kIam)) {
    const std::string_view rest = text.substr(partition_end + kIam.size());
    const auto account = AccountId::Parse(rest.substr(0, kAccountDigits));
    if (account && rest.substr(kAccountDigits) == ":root") {
      return {PrincipalForm::kAccount, account};
    }
  }
  return {PrincipalForm::kBound};
}

Status ForEachAwsPrincipal(const JsonValue& element, const std::string& place,
                           const std::function<Status(std::string_view)>& visit) {
  if (element.is_string()) {
    if (element.text == "*") return visit(element.text);
    return MalformedPolicy(place, "expected \"*\" or an object");
  }
  if (!element.is_object() || element.items.empty()) {
    return MalformedPolicy(place, "expected \"*\" or an object");
  }
  for (std::size_t i = 0; i < element.items.size(); ++i) {
    const std::string& kind = element.names[i];
    if (kind != "AWS" && kind != "Service") {
      return MalformedPolicy(place, "the kind of principal " + Quoted(kind) + " does not exist");
    }
    const bool aws = kind == "AWS";
    HALLMARK_RETURN_IF_ERROR(
        ForEachText(element.items[i], place + ", " + kind,
                    [&](std::string_view text) -> Status { return aws ? visit(text) : Status(); }));
  }
  return {};
}

Result<PrincipalSet> PrincipalSet::Parse(const JsonValue& element, const std::string& place,
                                         const BindingIndex& bindings) {
  PrincipalSet set;
  const auto add = [&](std::string_view text) -> Status {
    const WrittenPrincipal principal = ReadPrincipal(text);
    if (principal.form == PrincipalForm::kEveryone) {
      set.everyone_ = true;
      return {};
    }
    if (principal.form == PrincipalForm::kAccount) {
      set.accounts_.push_back(*principal.account);
      return {};
    }
    const auto bound = bindings.find(text);
    if (bound == bindings.end()) return InvalidPrincipals();
    set.unique_ids_.emplace_back(bound->second);
    return {};
  };
  HALLMARK_RETURN_IF_ERROR(ForEachAwsPrincipal(element, place, add));
  std::sort(set.accounts_.begin(), set.accounts_.end());
  std::sort(set.unique_ids_.begin(), set.unique_ids_.end());
  return set;
}

Reach PrincipalSet::ReachOf(const Caller& caller) const {
  if (Contains(unique_ids_, caller.unique_id)) return Reach::kSelf;
  const bool account = std::binary_search(accounts_.begin(), accounts_.end(), caller.account);
  if (account && caller.is_root()) return Reach::kSelf;
  if (Contains(unique_ids_, caller.role_id)) return Reach::kRole;
  if (everyone_) return Reach::kEveryone;
  return account ? Reach::kAccount : Reach::kNone;
}

}  // namespace hallmark
