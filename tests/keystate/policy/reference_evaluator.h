// A second, slow reading of the rules: straight from the JSON documents and a map of the request's
// values, sharing no code with the engine but the names of enums.
#pragma once

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hallmark::testing {

using ReferenceJson = nlohmann::ordered_json;

struct ReferenceGrant {
  std::string id;
  bool to_session;
  std::string issuing_account;
};

struct ReferenceRequest {
  std::string action;  // "kms:GenerateMac"
  std::string caller_account;
  std::string resource_account;
  std::string resource_arn;
  bool root = false;
  bool session = false;
  // How documents name the caller: its ARN; a session's role as well. Of a role that calls for
  // itself both are the role's.
  std::string arn;
  std::string role_arn;
  // The documents; a null document: there is none.
  ReferenceJson key;
  ReferenceJson identity;
  ReferenceJson boundary;
  ReferenceJson session_policy;
  std::vector<ReferenceGrant> grants;
  // Lower-case condition key → values.
  std::map<std::string, std::vector<std::string>> values;
};

// "allowed: key policy K1", as ToText in policy_world.h says it.
std::string ReferenceDecide(const ReferenceRequest& request);

}  // namespace hallmark::testing
