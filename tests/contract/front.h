// The fronts of the daemon, as a case sees them: it says what it wants in KMS's JSON and gets back
// what KMS's JSON would say, whatever travelled in between.
#pragma once

#include "tests/contract/world.h"

#include <google/protobuf/descriptor.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>

namespace hallmark::testing {

struct Answer {
  nlohmann::json content;  // of a success, in the notation of kms_json.h
  std::string exception;   // empty for a success
  std::string message;
  // How the front says the kind of refusal: "NOT_FOUND", "400".
  std::string code;

  bool ok() const { return exception.empty(); }
};

class Front {
 public:
  virtual ~Front() = default;

  // Throws CaseError for what this front has no words for. What an answer may never look like,
  // whatever the case says, is a failure of the test.
  virtual Answer Call(World& world, const std::string& caller,
                      const google::protobuf::MethodDescriptor& method,
                      const nlohmann::json& request) const = 0;

  // The `code` that a case's `raises` asks this front for.
  virtual std::string WantedCode(const nlohmann::json& raises) const = 0;
};

std::unique_ptr<Front> MakeGrpcFront();
std::unique_ptr<Front> MakeAwsFront();

}  // namespace hallmark::testing
