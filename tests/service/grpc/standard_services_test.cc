// Health and reflection, as probes and tools meet them.
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/service/grpc/tiny_server.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::grpc_front {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using hallmark::testing::Eventually;
using hallmark::testing::TinyServer;
using ::testing::Contains;
using ::testing::ElementsAre;
using namespace std::chrono_literals;

constexpr const char* kService = "hallmark.v1.KeyService";

class StandardServicesTest : public ::testing::Test {
 protected:
  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + 20s);
  }

  // A stream of answers about one service.
  class Watch {
   public:
    Watch(Health::Stub& stub, const std::string& service) {
      SetDeadline(context_);
      HealthCheckRequest request;
      request.set_service(service);
      reader_ = stub.Watch(&context_, request);
    }
    HealthCheckResponse::ServingStatus Next() {
      HealthCheckResponse response;
      return reader_->Read(&response) ? response.status() : HealthCheckResponse::UNKNOWN;
    }
    grpc::Status End() {
      HealthCheckResponse response;
      while (reader_->Read(&response)) {
      }
      return reader_->Finish();
    }
    void Cancel() { context_.TryCancel(); }

   private:
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
  };

  grpc::Status Check(const std::string& service, HealthCheckResponse* response) {
    grpc::ClientContext context;
    SetDeadline(context);
    HealthCheckRequest request;
    request.set_service(service);
    return health_->Check(&context, request, response);
  }

  ServerReflectionResponse Ask(const ServerReflectionRequest& request) {
    grpc::ClientContext context;
    SetDeadline(context);
    const auto stream = reflection_->ServerReflectionInfo(&context);
    ServerReflectionResponse response;
    EXPECT_TRUE(stream->Write(request) && stream->Read(&response));
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
    return response;
  }

  TinyServer server_{{10, 10}};
  std::shared_ptr<grpc::Channel> channel_ = server_.Connect();
  std::unique_ptr<Health::Stub> health_ = Health::NewStub(channel_);
  std::unique_ptr<ServerReflection::Stub> reflection_ = ServerReflection::NewStub(channel_);
};

TEST_F(StandardServicesTest, ACheckTellsOfKnownServices) {
  HealthCheckResponse response;
  EXPECT_TRUE(Check("", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(Check(kService, &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check("no.such.Service", &response).error_code(), grpc::NOT_FOUND);
  server_.server().SetServing(kService, true);
  for (const char* const service : {"", kService}) {
    EXPECT_TRUE(Check(service, &response).ok());
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  }
}

TEST_F(StandardServicesTest, AWatchIsToldOfEveryChange) {
  Watch unknown(*health_, "no.such.Service");
  EXPECT_EQ(unknown.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  Watch watch(*health_, kService);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  server_.server().SetServing(kService, true);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  server_.server().SetServing(kService, true);  // no news
  server_.server().SetServing(kService, false);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(StandardServicesTest, AConnectionHasItsShareOfWatchesAndNoMore) {
  constexpr std::size_t kMost = HealthService::kMaxWatchesPerConnection;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<Watch>> watches;
    for (std::size_t i = 0; i < kMost; ++i) {
      watches.push_back(std::make_unique<Watch>(*health_, ""));
      EXPECT_EQ(watches.back()->Next(), HealthCheckResponse::NOT_SERVING);
    }
    EXPECT_EQ(Watch(*health_, "").End().error_code(), grpc::RESOURCE_EXHAUSTED);
    const auto others = Health::NewStub(server_.Connect());
    EXPECT_EQ(Watch(*others, "").Next(), HealthCheckResponse::NOT_SERVING);
    for (const auto& watch : watches) watch->Cancel();
    for (const auto& watch : watches) EXPECT_EQ(watch->End().error_code(), grpc::CANCELLED);
    // The places come back when the server has learned of it.
    EXPECT_TRUE(Eventually(
        [this] { return Watch(*health_, "").Next() == HealthCheckResponse::NOT_SERVING; }));
  }
}

// gRPC may say that a call is over before it says that the call has arrived.
TEST_F(StandardServicesTest, WatchesThatAreLeftAtOnceHurtNobody) {
  for (int round = 0; round < 40; ++round) {
    std::vector<std::unique_ptr<Watch>> watches;
    for (int i = 0; i < 50; ++i) {
      watches.push_back(std::make_unique<Watch>(*health_, ""));
      watches.back()->Cancel();
    }
    for (const auto& watch : watches) EXPECT_FALSE(watch->End().ok());
  }
  EXPECT_TRUE(Eventually(
      [this] { return Watch(*health_, "").Next() == HealthCheckResponse::NOT_SERVING; }));
}

TEST_F(StandardServicesTest, BurstsOfUnknownMethodsAreAnsweredAndHurtNobody) {
  constexpr int kBurst = 100;
  grpc::GenericStub stub(channel_);
  for (int round = 0; round < 30; ++round) {
    grpc::CompletionQueue queue;
    std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
    std::vector<std::unique_ptr<grpc::GenericClientAsyncResponseReader>> readers;
    std::vector<grpc::ByteBuffer> answers(kBurst);
    std::vector<grpc::Status> statuses(kBurst);
    for (std::size_t i = 0; i < kBurst; ++i) {
      contexts.push_back(std::make_unique<grpc::ClientContext>());
      SetDeadline(*contexts.back());
      readers.push_back(
          stub.PrepareUnaryCall(contexts.back().get(), "/no.such/Method", {}, &queue));
      readers.back()->StartCall();
      readers.back()->Finish(&answers[i], &statuses[i], nullptr);
    }
    for (int i = 0; i < kBurst; ++i) {
      void* tag = nullptr;
      bool ok = false;
      ASSERT_TRUE(queue.Next(&tag, &ok));
    }
    for (const grpc::Status& status : statuses) {
      EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED) << status.error_message();
    }
  }
}

TEST_F(StandardServicesTest, AnOpenWatchDoesNotHoldUpTheEnd) {
  Watch watch(*health_, "");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  const auto started = std::chrono::steady_clock::now();
  server_.server().Stop(std::chrono::system_clock::now() + 60s);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 30s);
  EXPECT_FALSE(watch.End().ok());
}

TEST_F(StandardServicesTest, AStreamOfReflectionAnswersManyRequestsAndDoesNotHoldUpTheEnd) {
  grpc::ClientContext context;
  SetDeadline(context);
  const auto stream = reflection_->ServerReflectionInfo(&context);
  ServerReflectionRequest request;
  ServerReflectionResponse response;
  for (const char* const file : {"hallmark/v1/kms.proto", "hallmark/v1/admin.proto"}) {
    request.set_file_by_filename(file);
    ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
    EXPECT_EQ(response.original_request().file_by_filename(), file);
  }
  server_.server().Stop(std::chrono::system_clock::now() + 60s);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(StandardServicesTest, AConnectionHasItsShareOfReflectionStreamsAndNoMore) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<
      std::unique_ptr<grpc::ClientReaderWriter<ServerReflectionRequest, ServerReflectionResponse>>>
      streams;
  ServerReflectionRequest request;
  request.set_list_services("");
  ServerReflectionResponse response;
  for (std::size_t i = 0; i <= ReflectionService::kMaxStreamsPerConnection; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    SetDeadline(*contexts.back());
    streams.push_back(reflection_->ServerReflectionInfo(contexts.back().get()));
    streams.back()->Write(request);
    EXPECT_EQ(streams.back()->Read(&response), i < ReflectionService::kMaxStreamsPerConnection);
  }
  EXPECT_EQ(streams.back()->Finish().error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST_F(StandardServicesTest, ReflectionListsTheServices) {
  ServerReflectionRequest request;
  request.set_list_services("");
  const ServerReflectionResponse response = Ask(request);
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, ElementsAre(kService, "grpc.health.v1.Health",
                                 "grpc.reflection.v1alpha.ServerReflection"));
}

TEST_F(StandardServicesTest, ReflectionGivesAFileWithItsImports) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol("hallmark.v1.KeyService.GenerateMac");
  const ServerReflectionResponse response = Ask(request);
  std::vector<std::string> files;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    files.push_back(file.name());
  }
  EXPECT_THAT(files, Contains("hallmark/v1/kms.proto"));
  EXPECT_THAT(files, Contains("hallmark/v1/options.proto"));
  EXPECT_THAT(files, Contains("google/protobuf/timestamp.proto"));
}

TEST_F(StandardServicesTest, ReflectionKnowsTheExtensionsOfOptions) {
  ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("google.protobuf.FieldOptions");
  const ServerReflectionResponse numbers = Ask(request);
  ASSERT_GT(numbers.all_extension_numbers_response().extension_number_size(), 0);
  auto& extension = *request.mutable_file_containing_extension();
  extension.set_containing_type("google.protobuf.FieldOptions");
  extension.set_extension_number(numbers.all_extension_numbers_response().extension_number(0));
  EXPECT_GT(Ask(request).file_descriptor_response().file_descriptor_proto_size(), 0);
}

TEST_F(StandardServicesTest, ReflectionSaysWhatItDoesNotKnow) {
  ServerReflectionRequest request;
  EXPECT_EQ(Ask(request).error_response().error_code(), grpc::INVALID_ARGUMENT);
  request.set_file_by_filename("no/such.proto");
  EXPECT_EQ(Ask(request).error_response().error_code(), grpc::NOT_FOUND);
  request.set_file_containing_symbol("no.such.Symbol");
  EXPECT_EQ(Ask(request).error_response().error_code(), grpc::NOT_FOUND);
}

}  // namespace
}  // namespace hallmark::grpc_front
