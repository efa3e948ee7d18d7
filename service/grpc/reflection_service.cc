#include "service/grpc/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/support/async_stream.h>

#include <memory>
#include <new>
#include <set>

namespace hallmark::grpc_front {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
using Response = grpc::reflection::v1alpha::ServerReflectionResponse;

void AddWithImports(const FileDescriptor& file, std::set<const FileDescriptor*>& added,
                    grpc::reflection::v1alpha::FileDescriptorResponse* to) {
  std::vector<const FileDescriptor*> waiting{&file};
  while (!waiting.empty()) {
    const FileDescriptor* const next = waiting.back();
    waiting.pop_back();
    if (!added.insert(next).second) continue;
    google::protobuf::FileDescriptorProto proto;
    next->CopyTo(&proto);
    to->add_file_descriptor_proto(proto.SerializeAsString());
    for (int i = 0; i < next->dependency_count(); ++i) waiting.push_back(next->dependency(i));
  }
}

void Refuse(grpc::StatusCode code, const std::string& text, Response* response) {
  response->mutable_error_response()->set_error_code(code);
  response->mutable_error_response()->set_error_message(text);
}

void AnswerFile(const FileDescriptor* file, const std::string& asked, Response* response) {
  if (file == nullptr) return Refuse(grpc::NOT_FOUND, asked + " is not known", response);
  std::set<const FileDescriptor*> added;
  AddWithImports(*file, added, response->mutable_file_descriptor_response());
}

void AnswerExtensionNumbers(const std::string& type, Response* response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const Descriptor* const message = pool.FindMessageTypeByName(type);
  if (message == nullptr) return Refuse(grpc::NOT_FOUND, type + " is not known", response);
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(message, &extensions);
  auto& numbers = *response->mutable_all_extension_numbers_response();
  numbers.set_base_type_name(type);
  for (const FieldDescriptor* extension : extensions) {
    numbers.add_extension_number(extension->number());
  }
}

void AnswerExtension(const grpc::reflection::v1alpha::ExtensionRequest& asked, Response* response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const Descriptor* const message = pool.FindMessageTypeByName(asked.containing_type());
  const FieldDescriptor* const field =
      message == nullptr ? nullptr : pool.FindExtensionByNumber(message, asked.extension_number());
  AnswerFile(field == nullptr ? nullptr : field->file(),
             asked.containing_type() + " extension " + std::to_string(asked.extension_number()),
             response);
}

Response AnswerTo(const Request& request, const std::vector<std::string>& service_names) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      AnswerFile(pool.FindFileByName(request.file_by_filename()), request.file_by_filename(),
                 &response);
      break;
    case Request::kFileContainingSymbol:
      AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()),
                 request.file_containing_symbol(), &response);
      break;
    case Request::kFileContainingExtension:
      AnswerExtension(request.file_containing_extension(), &response);
      break;
    case Request::kAllExtensionNumbersOfType:
      AnswerExtensionNumbers(request.all_extension_numbers_of_type(), &response);
      break;
    case Request::kListServices:
      for (const std::string& name : service_names) {
        response.mutable_list_services_response()->add_service()->set_name(name);
      }
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      Refuse(grpc::INVALID_ARGUMENT, "the request asks for nothing", &response);
      break;
  }
  return response;
}

}  // namespace

// Reads a request, answers it, and so on: one step is under way at a time.
class ReflectionService::Stream final : public QueuedCall {
 public:
  explicit Stream(ReflectionService& owner) : QueuedCall(owner, context_), owner_(owner) {}
  ~Stream() override {
    if (counted_) owner_.quota_.Return(connection_);
  }

 private:
  void RequestFrom(grpc::ServerCompletionQueue& queue, void* tag) override {
    owner_.service_.RequestServerReflectionInfo(&context(), &stream_, &queue, &queue, tag);
  }

  void ListenForNext() override { owner_.ListenForStream(); }
  void Arrived(const std::shared_ptr<QueuedCall>&) override {
    try {
      connection_ = context().peer();
      counted_ = owner_.quota_.Take(connection_);
    } catch (const std::bad_alloc&) {
      counted_ = false;
    }
    if (!counted_) return RefuseForWant("too many reflection streams");
    stream_.Read(&request_, TagOf(read_));
  }

  void OnRead(bool ok) {
    // The client has asked for everything, or has gone.
    if (!ok) return stream_.Finish(grpc::Status::OK, finished_tag());
    try {
      response_ = AnswerTo(request_, owner_.service_names_);
    } catch (const std::bad_alloc&) {
      return RefuseForWant("no memory");
    }
    stream_.Write(response_, TagOf(written_));
  }

  void OnWritten(bool ok) {
    if (!ok) return stream_.Finish(grpc::Status::CANCELLED, finished_tag());
    stream_.Read(&request_, TagOf(read_));
  }

  void RefuseForWant(const char* of) {
    stream_.Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, of}, finished_tag());
  }

  ReflectionService& owner_;
  std::string connection_;
  bool counted_ = false;
  grpc::ServerContext context_;
  Request request_;
  Response response_;
  grpc::ServerAsyncReaderWriter<Response, Request> stream_{&context_};
  MemberCompletion<Stream> read_{*this, &Stream::OnRead};
  MemberCompletion<Stream> written_{*this, &Stream::OnWritten};
};

void ReflectionService::ListenForAll() { ListenForStream(); }

void ReflectionService::ListenForStream() {
  const auto call = std::make_shared<Stream>(*this);
  call->Listen(call);
}

}  // namespace hallmark::grpc_front
