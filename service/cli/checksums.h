// End-to-end integrity: a member `x` of bytes with a member `x_crc32c` beside it, its CRC-32C.
#pragma once

#include "keystate/result.h"

#include <google/protobuf/message.h>

#include <string>

namespace hallmark::cli {

// Gives `request` the checksums that it lacks, of the members that it has.
void AddChecksums(google::protobuf::Message* request);

// The error names the member whose checksum is missing or wrong.
Result<void, std::string> CheckChecksums(const google::protobuf::Message& answer);

}  // namespace hallmark::cli
