// The operations of KMS and our own, as rules see them.
#pragma once

#include <string_view>

namespace hallmark {

enum class Operation {
#define HALLMARK_OPERATION(name) k##name,
#include "keystate/operations.def"
#undef HALLMARK_OPERATION
};

// "GenerateMac".
constexpr std::string_view Name(Operation operation) {
  switch (operation) {
#define HALLMARK_OPERATION(name) \
  case Operation::k##name:       \
    return #name;
#include "keystate/operations.def"
#undef HALLMARK_OPERATION
  }
  return "";
}

// "kms:GenerateMac", as policies name it; "hallmark:Explain" for an operation that KMS does not
// have.
constexpr std::string_view PolicyAction(Operation operation) {
  switch (operation) {
#define HALLMARK_OPERATION(name) \
  case Operation::k##name:       \
    return "kms:" #name;
#define HALLMARK_OWN_OPERATION(name) \
  case Operation::k##name:           \
    return "hallmark:" #name;
#include "keystate/operations.def"
#undef HALLMARK_OPERATION
  }
  return "";
}

// Whether KMS does not have the operation.
constexpr bool IsOwn(Operation operation) { return PolicyAction(operation).substr(0, 4) != "kms:"; }

}  // namespace hallmark
