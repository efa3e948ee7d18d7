#include "service/grpc/admin_front.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "keystate/store/sqlite_store.h"
#include "service/system/system.h"
#include "tests/service/fake_clock.h"
#include "tests/service/grpc/tiny_server.h"
#include "tests/support/absent_hsm.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::grpc_front {
namespace {

using hallmark::testing::Eventually;
using hallmark::testing::PrintingObserver;
using hallmark::testing::TemporaryDirectory;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

constexpr const char* kAlice = "arn:aws:iam::111122223333:user/Alice";
constexpr std::chrono::milliseconds kMaxCall = 10s;

template <class T, class E>
T Must(Result<T, E> result) {
  if (!result.has_value()) std::abort();
  return *std::move(result);
}

// Secrets that are always the same.
class FixedSealer final : public Sealer {
 public:
  std::string Seal(std::string_view, std::string_view) const override { return {}; }
  std::optional<std::string> Open(std::string_view, std::string_view) const override {
    return std::nullopt;
  }
  SecretBytes DeriveSecret(std::string_view) const override { return SecretBytes(Bytes(32)); }
};

// Tells when somebody has read the time.
class NoticingClock final : public service::FakeClock {
 public:
  SteadyTime SteadyNow() const override {
    const SteadyTime now = FakeClock::SteadyNow();
    asked_ = true;
    return now;
  }
  bool was_asked() const { return asked_; }

 private:
  mutable std::atomic<bool> asked_{false};
};

// Records in memory, as far as it is allowed to.
class RecordingSink final : public app::AuditSink {
 public:
  // Refuses to set room aside, or fails only when a record is written.
  enum class Fault { kNone, kFull, kLost };

  Result<std::unique_ptr<Slot>> Reserve(const google::protobuf::Message* request) override {
    const MutexLock lock(mu_);
    if (fault_ == Fault::kFull) return Fail(Exception::kKMSInternalException, "full");
    return std::unique_ptr<Slot>(std::make_unique<MemorySlot>(*this, request != nullptr));
  }
  void set_fault(Fault fault) {
    const MutexLock lock(mu_);
    fault_ = fault;
  }
  std::vector<std::string> records() const {
    const MutexLock lock(mu_);
    return records_;
  }

 private:
  class MemorySlot final : public Slot {
   public:
    MemorySlot(RecordingSink& sink, bool parameters) : sink_(sink), parameters_(parameters) {}

    // "operator AddPrincipal OK", "stranger ListPrincipals … after 3"
    Status Write(const app::AuditEvent& event, const Status& outcome) override {
      std::string text = event.by_operator ? "operator " : "stranger ";
      text += event.name;
      text += event.reads_only ? " (reads) " : " ";
      text += outcome.has_value() ? "OK" : Describe(outcome.error().exception).name;
      if (!parameters_) text += " after " + std::to_string(event.unrecorded);
      const MutexLock lock(sink_.mu_);
      if (sink_.fault_ == Fault::kLost) return Fail(Exception::kKMSInternalException, "lost");
      sink_.records_.push_back(std::move(text));
      return {};
    }

   private:
    RecordingSink& sink_;
    const bool parameters_;
  };

  mutable Mutex mu_;
  Fault fault_ HALLMARK_GUARDED_BY(mu_) = Fault::kNone;
  std::vector<std::string> records_ HALLMARK_GUARDED_BY(mu_);
};

// AdminService on a Unix socket, with one thread and room for one call that waits.
class AdminFrontTest : public ::testing::Test {
 protected:
  struct Line {
    std::string method;
    std::string principal;
    std::string outcome;
    bool operator==(const Line&) const = default;
    friend void PrintTo(const Line& line, std::ostream* out) {
      *out << line.method << ' ' << line.principal << ' ' << line.outcome;
    }
  };

  AdminFrontTest() {
    const std::string socket = (directory_.path() / "admin.sock").string();
    std::vector<Door> doors;
    doors.push_back(
        {Must(net::Listener::OpenUnix(socket)), grpc::InsecureServerCredentials(), {10, 10}});
    doors.push_back(
        {Must(net::Listener::OpenTcp("127.0.0.1:0")), grpc::InsecureServerCredentials(), {10, 10}});
    const auto tls = std::make_shared<RotatingCredentials>(
        hallmark::testing::MaterialOf(authority_.IssueServer(), authority_.certificate()));
    doors.push_back({Must(net::Listener::OpenTcp("127.0.0.1:0")), tls, {10, 10}});
    server_ = Must(GrpcServer::Start(std::move(doors), {&front_}, {}, observer_));
    stub_ = v1::AdminService::NewStub(
        grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials()));
  }
  ~AdminFrontTest() override { Release(); }

  // Occupies the pool's thread until Release.
  void Block() {
    std::promise<void> begun;
    EXPECT_TRUE(pool_.Submit([&begun, until = unblock_.get_future().share()] {
      begun.set_value();
      until.wait();
    }));
    begun.get_future().wait();
  }
  void Release() {
    if (!std::exchange(released_, true)) unblock_.set_value();
  }

  grpc::Status AddAlice(std::chrono::milliseconds within = 30s) {
    v1::AddPrincipalRequest request;
    request.set_arn(kAlice);
    request.set_certificate_fingerprint(std::string(64, 'a'));
    v1::AddPrincipalResponse response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + within);
    return stub_->AddPrincipal(&context, request, &response);
  }
  grpc::Status List(std::chrono::milliseconds within = 30s) {
    v1::ListPrincipalsResponse response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + within);
    return stub_->ListPrincipals(&context, {}, &response);
  }

  // Whether the call succeeds.
  template <class Request, class Response>
  bool Call(grpc::Status (v1::AdminService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
            const Request& request, Response* response) {
    grpc::ClientContext context;
    return (stub_.get()->*method)(&context, request, response).ok();
  }

  void Note(const AdminFront::Finished& call) {
    const MutexLock lock(mu_);
    lines_.push_back({std::string(call.method), std::string(call.principal),
                      call.status.has_value()
                          ? "OK"
                          : std::string(Describe(call.status.error().exception).name)});
    if (sink_fails_) throw std::runtime_error("the log is broken");
  }
  std::vector<Line> lines() {
    const MutexLock lock(mu_);
    return lines_;
  }
  void BreakSink() {
    const MutexLock lock(mu_);
    sink_fails_ = true;
  }

  const TemporaryDirectory directory_;
  const hallmark::testing::TestAuthority authority_;
  const Site site_{"aws", "us-west-2"};
  service::OsRandom random_;
  NoticingClock clock_;
  FixedSealer sealer_;
  PrincipalDirectory principals_;
  std::unique_ptr<store::SqliteStore> store_ =
      Must(store::SqliteStore::Open(directory_.path() / "store", site_, random_));
  app::PrincipalAdmin admin_{site_, principals_, *store_, clock_, random_, sealer_};
  Mutex mu_;
  std::vector<Line> lines_ HALLMARK_GUARDED_BY(mu_);
  bool sink_fails_ HALLMARK_GUARDED_BY(mu_) = false;
  std::promise<void> unblock_;
  bool released_ = false;
  app::WorkerPool pool_{1, 1};
  hallmark::testing::AbsentHsm hsm_;
  TokenSet tokens_{{{&hsm_, {.token_id = "main"}}}, "main"};
  KeyDirectory keys_;
  ClientTokens client_tokens_;
  LastUsage last_usage_;
  app::DeletionSweeper sweeper_{
      {keys_, client_tokens_, last_usage_, *store_, tokens_, clock_}, {}, [](auto, const auto&) {}};
  std::atomic<int> sweeps_{0};
  app::MaintenanceAdmin maintenance_{sweeper_, *store_, tokens_, [this] { ++sweeps_; }};
  RecordingSink audit_;
  PolicyCache policies_;
  app::KeyQuota key_quota_{keys_, {}};
  app::Engine engine_{site_,          "store",     "instance",
                      keys_,          principals_, policies_,
                      client_tokens_, last_usage_, key_quota_,
                      *store_,        tokens_,     sealer_,
                      clock_,         random_,     pool_,
                      pool_,          &audit_,     [](const auto&, const Status&) {}};
  app::TokenAdmin token_admin_{tokens_, keys_, *store_, clock_};
  AdminFront front_{
      admin_, maintenance_, token_admin_, engine_, pool_, kMaxCall, [this](const auto& call) {
        Note(call);
      }};
  PrintingObserver observer_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<v1::AdminService::Stub> stub_;
};

TEST_F(AdminFrontTest, ACallIsReportedWithThePrincipalItIsAbout) {
  EXPECT_TRUE(AddAlice().ok());
  EXPECT_TRUE(List().ok());
  EXPECT_EQ(AddAlice().error_code(), grpc::ALREADY_EXISTS);
  EXPECT_THAT(lines(),
              ElementsAre(Line{"AddPrincipal", kAlice, "OK"}, Line{"ListPrincipals", "", "OK"},
                          Line{"AddPrincipal", kAlice, "AlreadyExistsException"}));
}

TEST_F(AdminFrontTest, ATokenIsDrainedUntilItIsResumedAndBothAreRecorded) {
  ASSERT_TRUE(store_->Commit(std::array{Put(TokenRecord{.token_id = "main"})}).has_value());
  tokens_.default_token().Publish(store_->Load()->tokens.front());
  v1::DrainTokenRequest drain;
  drain.set_token("main");
  v1::DrainTokenResponse drained;
  ASSERT_TRUE(Call(&v1::AdminService::Stub::DrainToken, drain, &drained));
  EXPECT_TRUE(drained.token().drained());
  EXPECT_TRUE(store_->Load()->tokens.front().drained);
  EXPECT_FALSE(tokens_.any_usable());

  v1::ListTokensResponse listed;
  ASSERT_TRUE(Call(&v1::AdminService::Stub::ListTokens, v1::ListTokensRequest(), &listed));
  ASSERT_EQ(listed.tokens_size(), 1);
  EXPECT_TRUE(listed.tokens(0).drained());
  EXPECT_TRUE(listed.tokens(0).is_default());

  v1::ResumeTokenRequest resume;
  resume.set_token("main");
  v1::ResumeTokenResponse resumed;
  ASSERT_TRUE(Call(&v1::AdminService::Stub::ResumeToken, resume, &resumed));
  EXPECT_FALSE(resumed.token().drained());
  EXPECT_FALSE(store_->Load()->tokens.front().drained);
  EXPECT_THAT(audit_.records(),
              ElementsAre("operator DrainToken OK", "operator ListTokens (reads) OK",
                          "operator ResumeToken OK"));
}

TEST_F(AdminFrontTest, ATokenThatIsNotConfiguredCannotBeDrained) {
  v1::DrainTokenRequest drain;
  drain.set_token("other");
  v1::DrainTokenResponse drained;
  EXPECT_FALSE(Call(&v1::AdminService::Stub::DrainToken, drain, &drained));
  EXPECT_THAT(lines(), ElementsAre(Line{"DrainToken", "", "NotFoundException"}));
}

TEST_F(AdminFrontTest, ResumingTheSweeperMakesItSweepNow) {
  grpc::ClientContext context;
  v1::ResumeSweeperResponse response;
  const grpc::Status status = stub_->ResumeSweeper(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(response.sweeper().halted());
  EXPECT_EQ(sweeps_, 1);
  EXPECT_FALSE(store_->Load()->sweeper.front().halted);
}

TEST_F(AdminFrontTest, CredentialsAreRotated) {
  ASSERT_TRUE(AddAlice().ok());
  v1::RotatePrincipalRequest request;
  request.set_arn(kAlice);
  request.set_certificate_fingerprint(std::string(64, 'b'));
  v1::RotatePrincipalResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->RotatePrincipal(&context, request, &response).ok());
  EXPECT_THAT(response.principal().certificate_fingerprints(), ElementsAre(std::string(64, 'b')));
  EXPECT_THAT(lines(), Contains(Line{"RotatePrincipal", kAlice, "OK"}));
}

TEST_F(AdminFrontTest, ACallThatWaitedBeyondItsClientsDeadlineIsNotBegun) {
  Block();
  EXPECT_EQ(AddAlice(200ms).error_code(), grpc::DEADLINE_EXCEEDED);
  clock_.Advance(200ms);
  Release();
  ASSERT_TRUE(Eventually([this] { return !lines().empty(); }));
  EXPECT_THAT(lines(), ElementsAre(Line{"AddPrincipal", kAlice, "DependencyTimeoutException"}));
  EXPECT_EQ(principals_.FindByArn(kAlice), nullptr);
  EXPECT_THAT(store_->Load()->principals, IsEmpty());
}

TEST_F(AdminFrontTest, ACallThatWaitedForTheServersMaximumIsNotBegun) {
  Block();
  std::future<grpc::Status> added = std::async(std::launch::async, [this] { return AddAlice(); });
  ASSERT_TRUE(Eventually([this] { return clock_.was_asked(); }));  // for the deadline, at arrival
  clock_.Advance(kMaxCall);
  Release();
  EXPECT_EQ(added.get().error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(principals_.FindByArn(kAlice), nullptr);
}

TEST_F(AdminFrontTest, ACallBeyondTheQueueIsToldWhenToComeBack) {
  Block();
  ASSERT_TRUE(pool_.Submit([] {}));
  const grpc::Status refused = List();
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(refused.error_details()));
  ASSERT_THAT(details.details(), SizeIs(2));
  EXPECT_TRUE(details.details(1).Is<google::rpc::RetryInfo>());
}

TEST_F(AdminFrontTest, NobodyIsServedThroughAnotherDoor) {
  const auto with_certificate = [this](const std::string& address) {
    return hallmark::testing::ConnectTo(address, authority_.certificate(),
                                        authority_.IssueClient());
  };
  const std::vector<std::shared_ptr<grpc::Channel>> channels{
      grpc::CreateChannel(server_->door(1).address(), grpc::InsecureChannelCredentials()),
      with_certificate(server_->door(2).address())};
  for (const auto& channel : channels) {
    grpc::ClientContext context;
    v1::ListPrincipalsResponse response;
    const grpc::Status status =
        v1::AdminService::NewStub(channel)->ListPrincipals(&context, {}, &response);
    EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED) << status.error_message();
    EXPECT_THAT(status.error_message(), ::testing::HasSubstr("admin.socket"));
    google::rpc::Status details;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
  }
  // Told of and recorded, but not each time: it is a stranger who decides how often.
  EXPECT_THAT(lines(), ElementsAre(Line{"ListPrincipals", "", "UnsupportedOperationException"}));
  EXPECT_THAT(audit_.records(),
              ElementsAre("stranger ListPrincipals (reads) UnsupportedOperationException after 0"));
}

TEST_F(AdminFrontTest, EveryCallIsRecordedWithItsOutcome) {
  EXPECT_TRUE(AddAlice().ok());
  EXPECT_TRUE(List().ok());
  EXPECT_EQ(AddAlice().error_code(), grpc::ALREADY_EXISTS);
  EXPECT_THAT(audit_.records(),
              ElementsAre("operator AddPrincipal OK", "operator ListPrincipals (reads) OK",
                          "operator AddPrincipal AlreadyExistsException"));
}

TEST_F(AdminFrontTest, WhatCannotBeRecordedIsNotDone) {
  audit_.set_fault(RecordingSink::Fault::kFull);
  EXPECT_EQ(AddAlice().error_code(), grpc::INTERNAL);
  EXPECT_EQ(principals_.FindByArn(kAlice), nullptr);
  EXPECT_THAT(lines(), ElementsAre(Line{"AddPrincipal", kAlice, "KMSInternalException"}));
}

TEST_F(AdminFrontTest, AnAnswerWhoseRecordIsLostDoesNotGoOut) {
  ASSERT_TRUE(AddAlice().ok());
  audit_.set_fault(RecordingSink::Fault::kLost);
  v1::ListPrincipalsResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(stub_->ListPrincipals(&context, {}, &response).error_code(), grpc::INTERNAL);
  EXPECT_THAT(response.principals(), IsEmpty());
}

TEST_F(AdminFrontTest, PoliciesAndTagsAreServed) {
  ASSERT_TRUE(AddAlice().ok());
  v1::AttachPolicyRequest attach;
  attach.set_arn(kAlice);
  attach.set_policy(
      R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}})");
  v1::AttachPolicyResponse attached;
  EXPECT_TRUE(Call(&v1::AdminService::Stub::AttachPolicy, attach, &attached));
  EXPECT_EQ(attached.principal().policy(), attach.policy());

  v1::TagPrincipalRequest tag;
  tag.set_arn(kAlice);
  tag.add_tags()->set_key("team");
  tag.mutable_tags(0)->set_value("orders");
  v1::TagPrincipalResponse tagged;
  EXPECT_TRUE(Call(&v1::AdminService::Stub::TagPrincipal, tag, &tagged));
  EXPECT_THAT(tagged.principal().tags(), SizeIs(1));

  v1::DetachPolicyRequest detach;
  detach.set_arn(kAlice);
  v1::DetachPolicyResponse detached;
  EXPECT_TRUE(Call(&v1::AdminService::Stub::DetachPolicy, detach, &detached));
  EXPECT_FALSE(detached.principal().has_policy());

  v1::UntagPrincipalRequest untag;
  untag.set_arn(kAlice);
  untag.add_tag_keys("team");
  v1::UntagPrincipalResponse untagged;
  EXPECT_TRUE(Call(&v1::AdminService::Stub::UntagPrincipal, untag, &untagged));
  EXPECT_THAT(untagged.principal().tags(), IsEmpty());
  EXPECT_THAT(lines(), Contains(Line{"UntagPrincipal", kAlice, "OK"}));
}

TEST_F(AdminFrontTest, ALogThatFailsCostsNobodyTheAnswer) {
  BreakSink();
  EXPECT_TRUE(List().ok());
  EXPECT_TRUE(List().ok());
}

}  // namespace
}  // namespace hallmark::grpc_front
