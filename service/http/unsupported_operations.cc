#include "service/http/unsupported_operations.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>

namespace hallmark::http_front {
namespace {

enum class Why {
  kOneRegion,
  kOwnTokens,
  kNoImport,
};

struct Row {
  std::string_view name;
  Why why;
};

constexpr auto kUnsupported = std::to_array<Row>({
    {"ConnectCustomKeyStore", Why::kOwnTokens},
    {"CreateCustomKeyStore", Why::kOwnTokens},
    {"DeleteCustomKeyStore", Why::kOwnTokens},
    {"DeleteImportedKeyMaterial", Why::kNoImport},
    {"DescribeCustomKeyStores", Why::kOwnTokens},
    {"DisconnectCustomKeyStore", Why::kOwnTokens},
    {"GetParametersForImport", Why::kNoImport},
    {"ImportKeyMaterial", Why::kNoImport},
    {"ReplicateKey", Why::kOneRegion},
    {"UpdateCustomKeyStore", Why::kOwnTokens},
    {"UpdatePrimaryRegion", Why::kOneRegion},
});

std::string TextOf(const Row& row) {
  const std::string name(row.name);
  switch (row.why) {
    case Why::kOneRegion:
      return name + " is not supported: keys of Hallmark belong to one Region.";
    case Why::kOwnTokens:
      return name +
             " is not supported: the tokens that hold Hallmark's keys are configured by its "
             "operator.";
    case Why::kNoImport:
      return name + " is not supported: keys of Hallmark are made inside the token.";
  }
  return {};
}

}  // namespace

std::optional<UnsupportedOperation> FindUnsupported(std::string_view name) {
  const auto* const row =
      std::find_if(std::begin(kUnsupported), std::end(kUnsupported),
                   [name](const Row& candidate) { return candidate.name == name; });
  if (row == std::end(kUnsupported)) return std::nullopt;
  return UnsupportedOperation{row->name, {Exception::kUnsupportedOperationException, TextOf(*row)}};
}

}  // namespace hallmark::http_front
