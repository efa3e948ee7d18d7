// Explain on real parts, with the calls that arrange what is explained.
#pragma once

#include "keystate/key_state.h"
#include "service/app/explain_ops.h"
#include "tests/service/app/operations_fixture.h"

#include <string>
#include <vector>

namespace hallmark::app {

inline constexpr const char* kExplainer =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["hallmark:*","kms:*"],"Resource":"*"}})";

inline std::string Document(const std::string& statements) {
  return R"({"Version":"2012-10-17","Statement":[)" + statements + "]}";
}

class ExplainTest : public OperationsTest {
 protected:
  ExplainTest() : key_(CreateKey()) {}

  v1::ExplainRequest About(Operation operation, const std::string& key_id) {
    v1::ExplainRequest request;
    request.set_operation(std::string(Name(operation)));
    if (!key_id.empty()) request.set_key_id(key_id);
    return request;
  }
  static void Give(v1::ExplainRequest& request, const std::string& key, const std::string& value) {
    v1::ContextValue* given = request.add_context();
    given->set_key(key);
    given->set_value(value);
  }
  v1::ExplainResponse Explained(const v1::ExplainRequest& request) {
    v1::ExplainResponse response;
    EXPECT_THAT(Call<v1::ExplainResponse>(Operation::kExplain, request, &response), IsOk());
    return response;
  }
  Status Asked(const v1::ExplainRequest& request) {
    return Call<v1::ExplainResponse>(Operation::kExplain, request);
  }
  v1::ExplainResponse ExplainedToOperator(const v1::ExplainRequest& request) {
    v1::ExplainResponse response;
    EXPECT_THAT(ExplainForOperator(*engine_, request, &response), IsOk());
    return response;
  }

  std::string ArnOf(const std::string& key_id) { return keys_.Find(*KeyId::Parse(key_id))->arn; }
  void SetState(KeyState state) {
    // With the revision that the store has, so that calls which write do not lose against nobody.
    Change(key_, [state](KeyView& view) {
      view.key.state = state;
      --view.key.revision;
    });
  }
  void SetKeyPolicy(const std::string& statements) {
    v1::PutKeyPolicyRequest request;
    request.set_key_id(key_);
    request.set_policy(Document(statements));
    request.set_bypass_policy_lockout_safety_check(true);
    ASSERT_THAT(Call<v1::PutKeyPolicyResponse>(Operation::kPutKeyPolicy, request), IsOk());
  }
  std::string Grant(const std::string& grantee, std::vector<v1::GrantOperation> operations,
                    const std::string& retiring = "") {
    v1::CreateGrantRequest request;
    request.set_key_id(key_);
    request.set_grantee_principal(grantee);
    if (!retiring.empty()) request.set_retiring_principal(retiring);
    for (const v1::GrantOperation operation : operations) request.add_operations(operation);
    v1::CreateGrantResponse response;
    EXPECT_THAT(Call<v1::CreateGrantResponse>(Operation::kCreateGrant, request, &response), IsOk());
    return response.grant_id();
  }

  const std::string key_;
};

}  // namespace hallmark::app
