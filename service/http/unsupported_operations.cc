#include "service/http/unsupported_operations.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace hallmark::http_front {
namespace {

enum class Why {
  kNotAMac,   // a key that makes MACs cannot
  kNoPublic,  // an HMAC key has no public half; KMS says no more than the exception
  kOneRegion,
  kOwnTokens,
  kNoImport,
};

struct Row {
  std::string_view name;
  Why why;
};

constexpr Row kUnsupported[] = {
    {"ConnectCustomKeyStore", Why::kOwnTokens},
    {"CreateCustomKeyStore", Why::kOwnTokens},
    {"Decrypt", Why::kNotAMac},
    {"DeleteCustomKeyStore", Why::kOwnTokens},
    {"DeleteImportedKeyMaterial", Why::kNoImport},
    {"DeriveSharedSecret", Why::kNotAMac},
    {"DescribeCustomKeyStores", Why::kOwnTokens},
    {"DisconnectCustomKeyStore", Why::kOwnTokens},
    {"Encrypt", Why::kNotAMac},
    {"GenerateDataKey", Why::kNotAMac},
    {"GenerateDataKeyPair", Why::kNotAMac},
    {"GenerateDataKeyPairWithoutPlaintext", Why::kNotAMac},
    {"GenerateDataKeyWithoutPlaintext", Why::kNotAMac},
    {"GetParametersForImport", Why::kNoImport},
    {"GetPublicKey", Why::kNoPublic},
    {"ImportKeyMaterial", Why::kNoImport},
    {"ReEncrypt", Why::kNotAMac},
    {"ReplicateKey", Why::kOneRegion},
    {"Sign", Why::kNotAMac},
    {"UpdateCustomKeyStore", Why::kOwnTokens},
    {"UpdatePrimaryRegion", Why::kOneRegion},
    {"Verify", Why::kNotAMac},
};

std::string TextOf(const Row& row) {
  const std::string name(row.name);
  switch (row.why) {
    case Why::kNotAMac:
      return name +
             " is not supported: Hallmark makes and verifies MACs (GenerateMac, VerifyMac) with "
             "HMAC keys inside a token, and does nothing else with keys.";
    case Why::kNoPublic:
      return {};
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
