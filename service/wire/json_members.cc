#include "service/wire/json_members.h"

#include "hallmark/v1/options.pb.h"
#include "keystate/mutex.h"

#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <unordered_map>

namespace hallmark::wire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

bool IsServed(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_STRING:
      return true;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return !field.is_map() ||
             field.message_type()->map_key()->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      break;
  }
  return false;
}

JsonMembers Compile(const Descriptor& type) {
  JsonMembers members;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (field->options().GetExtension(v1::extension)) continue;
    if (!IsServed(*field)) std::abort();
    JsonMember member{field, field->json_name(), field->json_name()};
    char& first = member.path.front();
    first = static_cast<char>(std::tolower(static_cast<unsigned char>(first)));
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace

const JsonMembers& MembersOf(const Descriptor* type) {
  static Mutex mu;
  static std::unordered_map<const Descriptor*, std::unique_ptr<const JsonMembers>> cache;
  thread_local std::unordered_map<const Descriptor*, const JsonMembers*> known;
  const JsonMembers*& members = known[type];
  if (members == nullptr) {
    MutexLock lock(mu);
    auto& entry = cache[type];
    if (entry == nullptr) entry = std::make_unique<const JsonMembers>(Compile(*type));
    members = entry.get();
  }
  return *members;
}

const JsonMember* FindMember(const JsonMembers& members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const JsonMember& member) { return member.name == name; });
  return found == members.end() ? nullptr : &*found;
}

bool IsTimestamp(const FieldDescriptor& field) {
  return field.message_type() == google::protobuf::Timestamp::descriptor();
}

}  // namespace hallmark::wire
