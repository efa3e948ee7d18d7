#include "service/cli/checksums.h"

#include "keystate/bytes.h"
#include "service/app/crc32c.h"
#include "service/cli/names.h"

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace hallmark::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

struct Checked {
  const FieldDescriptor* data;
  const FieldDescriptor* checksum;
};

// The members of `message` that are set and have a place for their checksum.
std::vector<Checked> CheckedMembers(const Message& message) {
  constexpr std::string_view kSuffix = "_crc32c";
  std::vector<Checked> members;
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* data = type.field(i);
    if (data->type() != FieldDescriptor::TYPE_BYTES || data->is_repeated()) continue;
    const FieldDescriptor* checksum = type.FindFieldByName(data->name() + std::string(kSuffix));
    if (checksum == nullptr || !message.GetReflection()->HasField(message, data)) continue;
    members.push_back({data, checksum});
  }
  return members;
}

std::uint32_t ChecksumOf(const Message& message, const FieldDescriptor& data) {
  return app::Crc32c(AsBytes(message.GetReflection()->GetString(message, &data)));
}

}  // namespace

void AddChecksums(Message* request) {
  const google::protobuf::Reflection& reflection = *request->GetReflection();
  for (const Checked& member : CheckedMembers(*request)) {
    if (reflection.HasField(*request, member.checksum)) continue;
    reflection.SetUInt32(request, member.checksum, ChecksumOf(*request, *member.data));
  }
}

Result<void, std::string> CheckChecksums(const Message& answer) {
  const google::protobuf::Reflection& reflection = *answer.GetReflection();
  for (const Checked& member : CheckedMembers(answer)) {
    if (!reflection.HasField(answer, member.checksum)) {
      return Unexpected("the answer has no checksum of " + Spelling(*member.data) +
                        ", so it may have been damaged on its way: repeat the call");
    }
    if (reflection.GetUInt32(answer, member.checksum) != ChecksumOf(answer, *member.data)) {
      return Unexpected(Spelling(*member.data) +
                        " of the answer does not match its checksum, so it was damaged on its "
                        "way: repeat the call");
    }
  }
  return {};
}

}  // namespace hallmark::cli
