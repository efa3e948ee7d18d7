// Messages in KMS's JSON, by the reflection of protobuf: no operation has code of its own here.
// README.md has the table of types.
#pragma once

#include "keystate/result.h"

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

namespace hallmark::wire {

// Fills `message`, which is empty, from the body of a request; nothing at all is `{}`. Members are
// found by their KMS spelling; unknown ones are ignored, as are null ones and those of our own. An
// enum text that is not known is kept for Validate to report (proto/kms_names.h), as every
// violation of a constraint is Validate's.
//
// Errors: SerializationException for what is not strict JSON or not of the member's type; the
//   message is half filled then. The text shows nothing of the body.
Status FromKmsJson(std::string_view json, google::protobuf::Message* message);

// The body of an answer; empty for a type without members. Members that are absent, and those of
// our own, are left out; lists are always there. Times are numbers of seconds, blobs base64.
std::string ToKmsJson(const google::protobuf::Message& message);

}  // namespace hallmark::wire
