// Two engines agree: the compiled one and the reference one decide alike, by the same statement, on
// random policies and requests. HALLMARK_LONG=1 makes it 200,000 of them.
#include "keystate/policy/explain.h"
#include "tests/keystate/policy/policy_world.h"
#include "tests/keystate/policy/reference_evaluator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace hallmark {
namespace {

using testing::ReferenceJson;
using testing::ReferenceRequest;
using testing::TestCaller;

const std::vector<const TestCaller*> kCallers{
    &testing::kRoot,    &testing::kAlice,        &testing::kCarol,
    &testing::kSession, &testing::kOtherSession, &testing::kRole,
    &testing::kBob,     &testing::kForeignRoot,  &testing::kForeignSession};
const std::vector<Operation> kAsked{Operation::kGenerateMac,  Operation::kVerifyMac,
                                    Operation::kDescribeKey,  Operation::kCreateKey,
                                    Operation::kRetireGrant,  Operation::kCreateGrant,
                                    Operation::kPutKeyPolicy, Operation::kListKeys};

// What a request of the generator has, beside its caller.
struct Facts {
  bool algorithm = false;
  bool alias = false;
  std::int64_t window = 0;
  std::vector<Operation> grant_operations;
  std::vector<testing::TestTag> resource_tags;
};

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  // A number below `n`.
  std::size_t Below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }
  bool OneIn(unsigned n) { return Below(n) == 0; }
  template <class T>
  const T& Any(const std::vector<T>& choices) {
    return choices[Below(choices.size())];
  }

  ReferenceJson Policy(PolicyKind kind) {
    ReferenceJson statements = ReferenceJson::array();
    const std::size_t count = 1 + Below(4);
    for (std::size_t i = 0; i < count; ++i) statements.push_back(Statement(kind, i));
    return {{"Version", "2012-10-17"}, {"Statement", statements}};
  }

  Facts RequestFacts() {
    Facts facts;
    facts.algorithm = !OneIn(4);
    facts.alias = OneIn(2);
    facts.window = 5 + static_cast<std::int64_t>(Below(4));
    for (const Operation one : {Operation::kGenerateMac, Operation::kVerifyMac}) {
      if (OneIn(2)) facts.grant_operations.push_back(one);
    }
    if (OneIn(2)) facts.resource_tags.push_back({"team", Any<std::string>({"red", "blue", "a*b"})});
    return facts;
  }

 private:
  ReferenceJson OneOrSome(const std::vector<std::string>& choices) {
    if (!OneIn(3)) return Any(choices);
    ReferenceJson list = ReferenceJson::array();
    const std::size_t count = 1 + Below(3);
    for (std::size_t i = 0; i < count; ++i) list.push_back(Any(choices));
    return list;
  }

  ReferenceJson Statement(PolicyKind kind, std::size_t index) {
    ReferenceJson statement;
    if (OneIn(2)) statement["Sid"] = "S" + std::to_string(index);
    statement["Effect"] = OneIn(4) ? "Deny" : "Allow";
    if (kind == PolicyKind::kKey) {
      const std::vector<std::string> names{"*",
                                           "111122223333",
                                           "arn:aws:iam::111122223333:root",
                                           "444455556666",
                                           testing::kAlice.arn,
                                           testing::kCarol.arn,
                                           testing::kBob.arn,
                                           testing::kSession.arn,
                                           testing::kSession.role_arn,
                                           testing::kForeignSession.role_arn};
      const char* element = OneIn(6) ? "NotPrincipal" : "Principal";
      if (OneIn(12)) {
        statement[element] = "*";
      } else {
        statement[element] = {{"AWS", OneOrSome(names)}};
      }
    }
    if (kind == PolicyKind::kIdentity || !OneIn(12)) {
      statement[OneIn(8) ? "NotAction" : "Action"] =
          OneOrSome({"*", "kms:*", "kms:*Mac", "KMS:generate?ac", "kms:VerifyMac", "kms:Create*",
                     "kms:RetireGrant", "s3:*"});
    }
    if (kind == PolicyKind::kIdentity || !OneIn(12)) {
      statement[OneIn(10) ? "NotResource" : "Resource"] =
          OneOrSome({"*", "*", "arn:aws:kms:*:111122223333:key/*", "arn:aws:kms:*:*:key/other",
                     "arn:*:${aws:PrincipalAccount}:key/1234*-?2ab-*",
                     "arn:aws:kms:*:*:key/${aws:PrincipalTag/team}"});
    }
    if (OneIn(2)) statement["Condition"] = Conditions();
    return statement;
  }

  ReferenceJson Conditions() {
    ReferenceJson conditions;
    const std::size_t count = 1 + Below(2);
    for (std::size_t i = 0; i < count; ++i) AddCondition(conditions);
    return conditions;
  }

  void AddCondition(ReferenceJson& conditions) {
    const std::string prefix = Any<std::string>({"", "", "", "ForAnyValue:", "ForAllValues:"});
    const std::string suffix = OneIn(5) ? "IfExists" : "";
    switch (Below(4)) {
      case 0:
        conditions[prefix +
                   Any<std::string>({"NumericEquals", "NumericNotEquals", "NumericLessThan",
                                     "NumericLessThanEquals", "NumericGreaterThan",
                                     "NumericGreaterThanEquals"}) +
                   suffix][Any<std::string>({"aws:EpochTime", "kms:KeySpec", "aws:SourceVpc"})] =
            OneOrSome({"6", "7", "7.5", "8"});
        return;
      case 1:
        conditions["Null"][Key()] = OneOrSome({"true", "False"});
        return;
      case 2:
        conditions[prefix + "Bool" + suffix]
                  [Any<std::string>({"aws:SecureTransport", "kms:MultiRegion"})] =
                      OneOrSome({"TRUE", "false"});
        return;
      default:
        conditions[prefix +
                   Any<std::string>({"StringEquals", "StringNotEquals", "StringLike",
                                     "StringNotLike", "StringEqualsIgnoreCase",
                                     "StringNotEqualsIgnoreCase"}) +
                   suffix][Key()] =
            OneOrSome({"HMAC_SHA_256", "hmac_sha_256", "HMAC_*", "alias/app", "alias/?pp", "red",
                       "GenerateMac", "*Mac", "${aws:PrincipalTag/team}", "${aws:username}x",
                       "a${*}b", "*", "User"});
    }
  }

  std::string Key() {
    return Any<std::string>({"kms:MacAlgorithm", "KMS:RequestAlias", "kms:GrantOperations",
                             "aws:PrincipalTag/team", "aws:ResourceTag/team", "aws:PrincipalType",
                             "aws:username", "aws:SourceVpc"});
  }

  std::mt19937 random_;
};

// The request as the reference engine reads it: the values that the published table gives it.
std::map<std::string, std::vector<std::string>> ValuesOf(const TestCaller& caller,
                                                         Operation operation, const Facts& facts) {
  std::map<std::string, std::vector<std::string>> values;
  const bool mac = operation == Operation::kGenerateMac || operation == Operation::kVerifyMac;
  const bool list = operation == Operation::kListKeys;
  const bool create = operation == Operation::kCreateKey;
  if (mac && facts.algorithm) values["kms:macalgorithm"] = {"HMAC_SHA_256"};
  if ((mac || operation == Operation::kDescribeKey) && facts.alias) {
    values["kms:requestalias"] = {"alias/app"};
  }
  if (operation == Operation::kCreateGrant && !facts.grant_operations.empty()) {
    for (const Operation one : facts.grant_operations) {
      values["kms:grantoperations"].emplace_back(Name(one));
    }
  }
  if (!list) {
    values["kms:keyspec"] = {"HMAC_256"};
    values["kms:multiregion"] = {"false"};
    if (!create && !facts.resource_tags.empty()) {
      values["aws:resourcetag/team"] = {facts.resource_tags.front().value};
    }
  }
  values["aws:epochtime"] = {std::to_string(facts.window)};
  values["aws:securetransport"] = {"true"};
  values["aws:principalaccount"] = {std::string(caller.account.text())};
  for (const testing::TestTag& tag : caller.tags) {
    values["aws:principaltag/" + tag.key] = {tag.value};
  }
  const bool root = caller.arn.ends_with(":root");
  values["aws:principaltype"] = {!caller.role_id.empty() ? "AssumedRole"
                                 : root                  ? "Account"
                                                         : "User"};
  if (caller.role_id.empty() && !root) {
    values["aws:username"] = {caller.arn.substr(caller.arn.rfind('/') + 1)};
  }
  return values;
}

// The decision that the statements which match by an explanation add up to: does any deny, and does
// any allow at all.
void ExpectConsistent(const Explanation& explanation, Operation operation) {
  bool denies = false;
  for (const PolicyTrace& policy : explanation.policies) {
    if (!policy.consulted) continue;
    for (const StatementTrace& statement : policy.statements) {
      const bool matches = statement.mismatch == Mismatch::kNone;
      EXPECT_EQ(matches, statement.reason.empty());
      denies |= matches && statement.effect == Effect::kDeny;
    }
  }
  EXPECT_EQ(explanation.decision.explicit_deny, denies) << Name(operation);
  EXPECT_EQ(explanation.refusal_text.has_value(), !explanation.decision.allowed);
}

std::optional<hallmark::Policy> CompileDocument(const ReferenceJson& document, PolicyKind kind) {
  if (document.is_null()) return std::nullopt;
  auto policy = hallmark::Policy::Parse(
      document.dump(), kind, kind == PolicyKind::kKey ? testing::AllBindings() : PolicyBindings());
  if (!policy) {
    // Statements without a Sid may be numbered like another's Sid; nothing else is malformed.
    ADD_FAILURE() << ToString(policy.error()) << "\n" << document.dump();
    return std::nullopt;
  }
  return *std::move(policy);
}

TEST(TwoEnginesTest, DecideAlikeByTheSameStatement) {
  const bool long_run = std::getenv("HALLMARK_LONG") != nullptr;
  const unsigned count = long_run ? 200'000 : 5'000;
  std::map<std::string, unsigned> outcomes;
  for (unsigned seed = 0; seed < count; ++seed) {
    Generator generator(seed);
    const TestCaller& who = *generator.Any(kCallers);
    const Operation operation = generator.Any(kAsked);
    const Facts facts = generator.RequestFacts();

    ReferenceRequest reference;
    if (!generator.OneIn(10)) reference.key = generator.Policy(PolicyKind::kKey);
    if (!generator.OneIn(3)) reference.identity = generator.Policy(PolicyKind::kIdentity);
    if (generator.OneIn(4)) reference.boundary = generator.Policy(PolicyKind::kIdentity);
    const bool session = !who.role_id.empty();
    if (session && generator.OneIn(2)) {
      reference.session_policy = generator.Policy(PolicyKind::kIdentity);
    }
    while (generator.OneIn(4)) {
      reference.grants.push_back({"G" + std::to_string(reference.grants.size()),
                                  session && generator.OneIn(2),
                                  generator.OneIn(2) ? "111122223333" : "444455556666"});
    }
    reference.action = PolicyAction(operation);
    reference.caller_account = who.account.text();
    reference.resource_account = testing::kHome.text();
    reference.resource_arn = testing::kKeyArn;
    reference.root = who.arn.ends_with(":root");
    reference.session = session;
    reference.arn = who.arn;
    reference.role_arn = who.role_arn;
    reference.values = ValuesOf(who, operation, facts);

    const auto key = CompileDocument(reference.key, PolicyKind::kKey);
    const auto identity = CompileDocument(reference.identity, PolicyKind::kIdentity);
    const auto boundary = CompileDocument(reference.boundary, PolicyKind::kIdentity);
    const auto session_policy = CompileDocument(reference.session_policy, PolicyKind::kIdentity);
    const auto pointer = [](const auto& policy) { return policy ? &*policy : nullptr; };
    std::vector<testing::TestGrant> grants;
    for (const auto& grant : reference.grants) {
      grants.push_back({grant.id, grant.to_session, *AccountId::Parse(grant.issuing_account)});
    }
    const testing::FakeGrants source(grants);
    const Caller caller{
        who.arn,          who.account,       who.unique_id,     who.role_id,
        who.role_arn,     pointer(identity), pointer(boundary), pointer(session_policy),
        TagList(who.tags)};
    RequestContext context;
    if (facts.algorithm) context.mac_algorithm = MacAlgorithm::kHmacSha256;
    if (facts.alias) context.request_alias = "alias/app";
    context.grant_operations = ValueList(facts.grant_operations);
    context.resource_tags = TagList(facts.resource_tags);
    context.key_spec = KeySpec::kHmac256;
    context.multi_region = false;
    context.secure_transport = true;
    context.current_time = WallTime(std::chrono::seconds(facts.window));
    const AccessRequest request{caller,  operation,    testing::kHome, testing::kKeyArn,
                                context, pointer(key), &source};

    const std::string decided = testing::ToText(Authorize(request));
    ASSERT_EQ(decided, ReferenceDecide(reference))
        << "seed " << seed << ": " << who.arn << " " << reference.action << "\nkey policy "
        << reference.key << "\nidentity " << reference.identity << "\nboundary "
        << reference.boundary << "\nsession " << reference.session_policy;
    if (seed % 10 == 0) ExpectConsistent(Explain(request), operation);
    ++outcomes[decided.substr(0, decided.find_last_of(' '))];
  }
  // The generator reaches every kind of decision.
  for (const char* kind :
       {"allowed: key policy", "allowed: identity policy", "allowed: grant",
        "explicit deny: key policy", "explicit deny: identity policy", "explicit deny: boundary",
        "explicit deny: session policy", "no identity policy", "no resource policy", "no boundary",
        "no session policy", "foreign"}) {
    EXPECT_TRUE(std::any_of(outcomes.begin(), outcomes.end(), [&](const auto& one) {
      return one.first.starts_with(kind);
    })) << kind;
  }
}

}  // namespace
}  // namespace hallmark
