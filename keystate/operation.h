// The operations of KMS, as rules see them.
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

// "kms:GenerateMac", as policies name it.
constexpr std::string_view PolicyAction(Operation operation) {
  switch (operation) {
#define HALLMARK_OPERATION(name) \
  case Operation::k##name:       \
    return "kms:" #name;
#include "keystate/operations.def"
#undef HALLMARK_OPERATION
  }
  return "";
}

}  // namespace hallmark
