#include "proto/comments.h"

#include <google/protobuf/descriptor.pb.h>

#include <cstdlib>
#include <memory>
#include <sstream>

namespace hallmark::proto {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorSet;

constexpr unsigned char kSchema[] = {
#include "schema_with_comments.inc"
};

// The same schema once more, since what protoc compiles into messages has no comments.
const DescriptorPool& Commented() {
  static const auto pool = [] {
    FileDescriptorSet files;
    auto made = std::make_unique<DescriptorPool>();
    if (!files.ParseFromArray(kSchema, sizeof(kSchema))) std::abort();
    for (const auto& file : files.file()) {
      if (made->BuildFile(file) == nullptr) std::abort();
    }
    return made;
  }();
  return *pool;
}

// One paragraph of what stands above and beside a declaration.
template <class T>
std::string CommentAt(const T* declaration) {
  google::protobuf::SourceLocation location;
  if (declaration == nullptr || !declaration->GetSourceLocation(&location)) return {};
  std::istringstream words(location.leading_comments + " " + location.trailing_comments);
  std::string paragraph;
  for (std::string word; words >> word;) paragraph += (paragraph.empty() ? "" : " ") + word;
  return paragraph;
}

}  // namespace

std::string CommentOf(const google::protobuf::MethodDescriptor& method) {
  return CommentAt(Commented().FindMethodByName(method.full_name()));
}

std::string CommentOf(const google::protobuf::FieldDescriptor& field) {
  return CommentAt(Commented().FindFieldByName(field.full_name()));
}

}  // namespace hallmark::proto
