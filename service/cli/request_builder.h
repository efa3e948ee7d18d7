// Words of the command line → fields of a request.
#pragma once

#include "keystate/result.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <span>
#include <string>

namespace hallmark::cli {

// What is wrong with the command line: one line that names the flag, the reason and the remedy.
struct UsageError {
  std::string message;
};

// Sets `field` of `request` from the words that followed its flag: one word, or any number of them
// for a repeated field. Words are read as the AWS CLI reads them:
//   string     as it stands, or file://PATH for a file's text
//   blob       base64, fileb://PATH for a file's bytes, or file://PATH for a file of base64
//   enum       the KMS spelling
//   boolean    "true" or "false"
//   structure  Member=value,Member=value; a value in quotes may hold commas
Result<void, UsageError> SetField(const google::protobuf::FieldDescriptor& field,
                                  std::span<const std::string> words,
                                  google::protobuf::Message* request);

}  // namespace hallmark::cli
