// The schema check: constraints stand beside the fields in the .proto files, one function applies
// them.
#pragma once

#include "keystate/result.h"

#include <google/protobuf/message.h>

namespace hallmark::app {

// Checks required members, lengths, ranges, patterns and enum values.
//
// Errors: ValidationException that lists the violations, the first ten of them, in the
//   framed text of KMS.
// Source: recorded ValidationException texts of KMS; see service/app/README.md.
Status Validate(const google::protobuf::Message& request);

}  // namespace hallmark::app
