// Answers, as the AWS CLI prints them.
#pragma once

#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace hallmark::cli {

enum class OutputFormat { kJson, kText, kTable };

// Whether members of Hallmark's own, which KMS does not have, are shown too.
enum class Members { kKms, kAll };

// KMS spellings in the order of the schema; blobs in base64, times in ISO 8601, enums by their KMS
// names. Absent members are left out, except that the lists of the answer itself are always there.
nlohmann::ordered_json ToKmsJson(const google::protobuf::Message& answer,
                                 Members members = Members::kKms);

// Ends with a line break, or is empty if the answer says nothing. `title` heads a table.
std::string Render(const nlohmann::ordered_json& answer, std::string_view title,
                   OutputFormat format);

}  // namespace hallmark::cli
