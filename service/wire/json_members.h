// The members of a message as the AWS front has them.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

namespace hallmark::wire {

struct JsonMember {
  const google::protobuf::FieldDescriptor* field;
  std::string_view name;  // "KeyId"
  std::string path;       // "keyId", as refusals name it
};

using JsonMembers = std::vector<JsonMember>;

// In the order of the schema, without the fields of our own; for the whole life of the process.
//
// INVARIANT: the members of `type` are of the types that README.md lists.
// Thread-safety: any thread may call it.
const JsonMembers& MembersOf(const google::protobuf::Descriptor* type);

// Null unless a member has exactly this name.
const JsonMember* FindMember(const JsonMembers& members, std::string_view name);

// A time: a number in JSON, not an object.
bool IsTimestamp(const google::protobuf::FieldDescriptor& field);

}  // namespace hallmark::wire
