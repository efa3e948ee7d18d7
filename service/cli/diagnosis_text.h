// A token's diagnosis, for people and for programs.
#pragma once

#include "pkcs11/doctor/diagnosis.h"

#include <nlohmann/json.hpp>

#include <string>

namespace hallmark::cli {

// Lines, of which the last says whether the token is fit for keys.
std::string DescribeDiagnosis(const std::string& token_id, const pkcs11::Diagnosis& diagnosis);

nlohmann::ordered_json ToJson(const std::string& token_id, const pkcs11::Diagnosis& diagnosis);

}  // namespace hallmark::cli
