// What the schema says about its parts in words: the comments of the .proto files.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

namespace hallmark::proto {

// The comment above a method or a field, as one paragraph; empty if it has none.
std::string CommentOf(const google::protobuf::MethodDescriptor& method);
std::string CommentOf(const google::protobuf::FieldDescriptor& field);

}  // namespace hallmark::proto
