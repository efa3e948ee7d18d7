// Messages with something in every member, made by reflection.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <vector>

namespace hallmark::wire {

// The operations that the AWS front has: those of KeyService but our own.
std::vector<const google::protobuf::MethodDescriptor*> KmsMethods();

std::unique_ptr<google::protobuf::Message> NewMessage(const google::protobuf::Descriptor* type);

enum class Extensions { kFilled, kAbsent };

// Every member present, the same in every run; lists and maps have two items.
void FillSample(Extensions extensions, google::protobuf::Message* message);

}  // namespace hallmark::wire
