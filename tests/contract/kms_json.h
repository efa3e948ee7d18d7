// The steps of a case are written in KMS's own JSON; this turns them into messages and back.
#pragma once

#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include <stdexcept>
#include <string>

namespace hallmark::testing {

// Thrown for a case that is written wrongly: an unknown member, a value of the wrong type.
struct CaseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Members by their KMS spelling, or by their proto name for fields of our own. Bytes are written as
// text with a prefix: "text:Hello", "hex:00ff", "repeat:4097" (that many letters). An enum is its
// KMS spelling or a number. An object where a text is due is a document: its text.
void FillFromKmsJson(const nlohmann::json& json, google::protobuf::Message* message);

// What "text:Hello" and the like stand for.
std::string BytesFrom(const std::string& text);

// Absent members are left out; bytes are "hex:…", timestamps numbers of seconds.
nlohmann::json ToKmsJson(const google::protobuf::Message& message);

}  // namespace hallmark::testing
