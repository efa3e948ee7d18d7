// An answer drawn as a table.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace hallmark::cli {

// A number, truth value or text as people read it: True and False as the AWS CLI writes them.
std::string ScalarText(const nlohmann::ordered_json& value);

// One box: the title, a row per scalar, and under a heading of its own every structure and list.
std::string RenderTable(const nlohmann::ordered_json& answer, std::string_view title);

}  // namespace hallmark::cli
