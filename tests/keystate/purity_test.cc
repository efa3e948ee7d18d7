// keystate is pure: no header of it may reach gRPC, protobuf, PKCS#11 or SQL. The rest of this file
// does not compile if one does.
#include "keystate/authorize.h"
#include "keystate/base64.h"
#include "keystate/bytes.h"
#include "keystate/client_tokens.h"
#include "keystate/clock.h"
#include "keystate/error.h"
#include "keystate/grants/grant_caller.h"
#include "keystate/grants/grant_operations.h"
#include "keystate/grants/grant_principals.h"
#include "keystate/grants/grant_rules.h"
#include "keystate/grants/grant_set.h"
#include "keystate/grants/grant_token.h"
#include "keystate/grants/retirable_grants.h"
#include "keystate/hsm.h"
#include "keystate/ids.h"
#include "keystate/key_directory.h"
#include "keystate/key_spec.h"
#include "keystate/key_state.h"
#include "keystate/key_store.h"
#include "keystate/key_view.h"
#include "keystate/last_usage.h"
#include "keystate/mutex.h"
#include "keystate/operation.h"
#include "keystate/persistent_set.h"
#include "keystate/policy/access_request.h"
#include "keystate/policy/condition.h"
#include "keystate/policy/condition_keys.h"
#include "keystate/policy/condition_values.h"
#include "keystate/policy/explain.h"
#include "keystate/policy/ip_range.h"
#include "keystate/policy/json.h"
#include "keystate/policy/malformed.h"
#include "keystate/policy/operation_set.h"
#include "keystate/policy/pattern.h"
#include "keystate/policy/policy.h"
#include "keystate/policy/policy_cache.h"
#include "keystate/policy/policy_time.h"
#include "keystate/policy/principals.h"
#include "keystate/policy/render.h"
#include "keystate/policy/request_context.h"
#include "keystate/policy/statement.h"
#include "keystate/policy/text_template.h"
#include "keystate/principal_directory.h"
#include "keystate/random.h"
#include "keystate/records.h"
#include "keystate/result.h"
#include "keystate/sealer.h"
#include "keystate/secret.h"
#include "keystate/snapshot.h"
#include "keystate/spiffe_id.h"
#include "keystate/token_set.h"

#if defined(CKR_OK) || defined(CK_TRUE)
#error "a keystate header reaches PKCS#11"
#endif
#if defined(GOOGLE_PROTOBUF_VERSION)
#error "a keystate header reaches protobuf"
#endif
#if defined(SQLITE_VERSION)
#error "a keystate header reaches SQLite"
#endif
#if defined(GRPC_ARG_MAX_CONCURRENT_STREAMS) || defined(GRPCPP_GRPCPP_H)
#error "a keystate header reaches gRPC"
#endif
#if defined(NLOHMANN_JSON_VERSION_MAJOR)
#error "a keystate header reaches the JSON parser; it belongs to policy/json.cc alone"
#endif

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace hallmark {
namespace {

TEST(PurityTest, EveryHeaderOfKeystateIsCheckedHere) {
  std::ostringstream self;
  const std::filesystem::path sources = HALLMARK_SOURCE_DIR;
  self << std::ifstream(sources / "tests/keystate/purity_test.cc").rdbuf();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(sources / "keystate")) {
    const std::string header = entry.path().lexically_relative(sources).string();
    // The store implements a port, and may include what it needs.
    if (entry.path().extension() != ".h" || header.starts_with("keystate/store/")) continue;
    const std::string include = "#include \"" + header + "\"";
    EXPECT_NE(self.str().find(include), std::string::npos) << include << " is missing";
  }
}

}  // namespace
}  // namespace hallmark
