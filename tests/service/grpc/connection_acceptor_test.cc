#include "service/net/connection_acceptor.h"

#include "tests/service/grpc/tiny_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace hallmark::grpc_front {
namespace {

using hallmark::testing::ConnectTo;
using hallmark::testing::Describe;
using hallmark::testing::Eventually;
using hallmark::testing::PemPair;
using hallmark::testing::TemporaryDirectory;
using hallmark::testing::TinyServer;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// A TCP connection that says nothing.
net::UniqueFd ConnectSilently(const std::string& port) {
  net::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

// Whether the server closes the connection within ten seconds.
bool IsClosedByServer(const net::UniqueFd& fd) {
  pollfd wanted{fd.get(), POLLIN, 0};
  std::array<char, 64> ignored{};
  return poll(&wanted, 1, 10'000) == 1 && read(fd.get(), ignored.data(), ignored.size()) <= 0;
}

std::size_t OpenDescriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

bool Reached(const grpc::Status& status) { return status.error_code() == grpc::NOT_FOUND; }

TEST(ConnectionAcceptorTest, ACallThroughAHandedOverConnectionIsServed) {
  TinyServer server({10, 10});
  const grpc::Status status = Describe(server.Connect(), "some key");
  EXPECT_TRUE(Reached(status)) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr("some key"));
}

TEST(ConnectionAcceptorTest, AConnectionIsCountedUntilItsClientCloses) {
  TinyServer server({10, 10});
  auto channel = server.Connect();
  ASSERT_TRUE(Reached(Describe(channel, "k")));
  EXPECT_EQ(server.door().counts().open, 1U);
  channel.reset();
  EXPECT_TRUE(Eventually([&] { return server.door().counts().open == 0; }));
}

TEST(ConnectionAcceptorTest, ASilentClientIsDroppedAfterTheHandshakeTimeout) {
  TinyServer server({10, 10}, {.handshake_timeout = 200ms});
  const net::UniqueFd silent = ConnectSilently(server.port());
  EXPECT_TRUE(IsClosedByServer(silent));
  EXPECT_TRUE(Eventually([&] { return server.door().counts().open == 0; }));
}

TEST(ConnectionAcceptorTest, AClientThatClosesItsHalfDuringTheHandshakeIsForgotten) {
  TinyServer server({10, 10});
  const net::UniqueFd half_open = ConnectSilently(server.port());
  ASSERT_TRUE(Eventually([&] { return server.door().counts().accepted == 1; }));
  shutdown(half_open.get(), SHUT_WR);
  EXPECT_TRUE(IsClosedByServer(half_open));
  EXPECT_TRUE(Eventually([&] { return server.door().counts().open == 0; }));
}

TEST(ConnectionAcceptorTest, AConnectionThatIsResetIsForgotten) {
  TinyServer server({10, 10});
  {
    const net::UniqueFd doomed = ConnectSilently(server.port());
    ASSERT_TRUE(Eventually([&] { return server.door().counts().open == 1; }));
    const linger at_once{1, 0};
    setsockopt(doomed.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  EXPECT_TRUE(Eventually([&] { return server.door().counts().open == 0; }));
}

TEST(ConnectionAcceptorTest, PlainTextInsteadOfTlsIsForgotten) {
  TinyServer server({10, 10});
  const net::UniqueFd talker = ConnectSilently(server.port());
  constexpr std::string_view kHttp = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(write(talker.get(), kHttp.data(), kHttp.size()), static_cast<ssize_t>(kHttp.size()));
  EXPECT_TRUE(Eventually([&] {
    const net::ConnectionCounts counts = server.door().counts();
    return counts.accepted == 1 && counts.open == 0;
  }));
}

TEST(ConnectionAcceptorTest, BeyondTheLimitOfAllConnectionsTheNextIsClosedAtOnce) {
  TinyServer server({3, 10});
  std::vector<net::UniqueFd> silent;
  silent.reserve(3);
  for (int i = 0; i < 3; ++i) silent.push_back(ConnectSilently(server.port()));
  EXPECT_TRUE(IsClosedByServer(ConnectSilently(server.port())));
  EXPECT_EQ(server.door().counts().open, 3U);
  EXPECT_EQ(server.door().counts().refused, 1U);
  silent.pop_back();
  ASSERT_TRUE(Eventually([&] { return server.door().counts().open == 2; }));
  EXPECT_TRUE(Reached(Describe(server.Connect(), "k")));
}

TEST(ConnectionAcceptorTest, BeyondTheLimitOfOneAddressTheNextIsClosedAtOnce) {
  TinyServer server({10, 2});
  const net::UniqueFd first = ConnectSilently(server.port());
  const net::UniqueFd second = ConnectSilently(server.port());
  EXPECT_TRUE(IsClosedByServer(ConnectSilently(server.port())));
  EXPECT_EQ(server.door().counts().refused, 1U);
}

TEST(ConnectionAcceptorTest, ManyConnectionsLeaveNoDescriptorBehind) {
  TinyServer server({300, 300});
  ASSERT_TRUE(Reached(Describe(server.Connect(), "k")));
  ASSERT_TRUE(Eventually([&] { return server.door().counts().open == 0; }));
  const std::size_t before = OpenDescriptors();
  for (int round = 0; round < 3; ++round) {
    std::vector<net::UniqueFd> silent;
    silent.reserve(100);
    for (int i = 0; i < 100; ++i) silent.push_back(ConnectSilently(server.port()));
    const std::uint64_t wanted = 1 + static_cast<std::uint64_t>(round + 1) * 100;
    EXPECT_TRUE(Eventually([&] { return server.door().counts().accepted == wanted; }));
    silent.clear();
    EXPECT_TRUE(Eventually([&] { return server.door().counts().open == 0; }));
  }
  EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= before; }))
      << OpenDescriptors() << " > " << before;
}

TEST(ConnectionAcceptorTest, StopAcceptingClosesThePortAndLeavesOpenConnectionsAlone) {
  TinyServer server({10, 10});
  const auto channel = server.Connect();
  ASSERT_TRUE(Reached(Describe(channel, "k")));
  server.door().StopAccepting();
  EXPECT_TRUE(Reached(Describe(channel, "k")));
  EXPECT_FALSE(server.Connect()->WaitForConnected(std::chrono::system_clock::now() + 300ms));
}

TEST(ConnectionAcceptorTest, AUnixSocketServesItsOwner) {
  const TemporaryDirectory directory;
  const std::string socket = directory.path() / "admin.sock";
  TinyServer server(socket, {10, 10});
  const auto channel = grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials());
  EXPECT_TRUE(Reached(Describe(channel, "k")));
}

// A server in a process of its own, so that its limit of open files is not ours.
class ServerProcess {
 public:
  ServerProcess(std::string descriptors, std::string max_connections) {
    std::array<int, 2> to_child{};
    std::array<int, 2> from_child{};
    EXPECT_EQ(pipe2(to_child.data(), O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(from_child.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
    std::string program = HALLMARK_TINY_SERVER;
    std::array<char*, 4> argv{program.data(), descriptors.data(), max_connections.data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(to_child[0]);
    close(from_child[1]);
    in_ = fdopen(to_child[1], "w");
    out_ = fdopen(from_child[0], "r");
    address_ = ReadLine();
    ca_ = ReadPem();
    client_.certificate = ReadPem();
    client_.private_key = ReadPem();
  }
  ~ServerProcess() {
    std::fclose(in_);  // the child ends with its input
    EXPECT_EQ(waitpid(pid_, &exit_status_, 0), pid_);
    EXPECT_EQ(exit_status_, 0);
    std::fclose(out_);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  net::ConnectionCounts Counts() {
    std::fputs("\n", in_);
    std::fflush(in_);
    std::istringstream line(ReadLine());
    net::ConnectionCounts counts;
    line >> counts.open >> counts.accepted >> counts.refused >> counts.accept_failures;
    return counts;
  }
  std::string port() const { return address_.substr(address_.rfind(':') + 1); }
  std::shared_ptr<grpc::Channel> Connect() const { return ConnectTo(address_, ca_, client_); }

 private:
  std::string ReadLine() {
    std::string line;
    for (int c = std::fgetc(out_); c != '\n' && c != EOF; c = std::fgetc(out_)) {
      line += static_cast<char>(c);
    }
    return line;
  }
  std::string ReadPem() {
    std::string pem;
    for (std::string line = ReadLine(); line != "." && !line.empty(); line = ReadLine()) {
      pem += line + "\n";
    }
    return pem;
  }

  pid_t pid_ = -1;
  int exit_status_ = -1;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
  std::string address_;
  std::string ca_;
  PemPair client_;
};

TEST(ConnectionAcceptorTest, With64DescriptorsServiceGoesOnAfter150SilentConnections) {
  ServerProcess server("64", "0");
  {
    std::vector<net::UniqueFd> silent;
    silent.reserve(150);
    for (int i = 0; i < 150; ++i) silent.push_back(ConnectSilently(server.port()));
    EXPECT_TRUE(Eventually([&] {
      const net::ConnectionCounts counts = server.Counts();
      return counts.accepted + counts.refused == 150;
    }));
    EXPECT_EQ(server.Counts().open, 16U);  // (64 - 32 kept back) / 2
  }
  EXPECT_TRUE(Eventually([&] { return server.Counts().open == 0; }));
  const grpc::Status status = Describe(server.Connect(), "k");
  EXPECT_TRUE(Reached(status)) << status.error_message();
}

TEST(ConnectionAcceptorTest, AfterDescriptorsRanOutAcceptingGoesOn) {
  ServerProcess server("64", "1000");
  // UBSan looks at a type that it has not seen before through a pipe, and calls it invalid where it
  // can have none.
  EXPECT_TRUE(Reached(Describe(server.Connect(), "k")));
  static_cast<void>(ConnectSilently(server.port()));
  EXPECT_TRUE(Eventually([&] { return server.Counts().accepted == 2; }));
  {
    std::vector<net::UniqueFd> silent;
    silent.reserve(150);
    for (int i = 0; i < 150; ++i) silent.push_back(ConnectSilently(server.port()));
    EXPECT_TRUE(Eventually([&] { return server.Counts().accept_failures > 1; }));
  }
  // Those that the backlog kept may use up the descriptors once more.
  EXPECT_TRUE(Eventually([&] { return Reached(Describe(server.Connect(), "k")); }));
}

// Keeps what it is handed open, as gRPC does until it has noticed an end.
class Keeper final : public net::ConnectionHandler {
 public:
  explicit Keeper(std::vector<net::UniqueFd>& kept) : kept_(kept) {}
  void Serve(net::UniqueFd connection, const net::Listener&) override {
    kept_.push_back(std::move(connection));
  }

 private:
  std::vector<net::UniqueFd>& kept_;
};

TEST(ConnectionAcceptorTest, WhileOthersAreResetLiveConnectionsStayCounted) {
  constexpr std::size_t kEach = 20;
  std::vector<net::UniqueFd> kept;  // outside the acceptor's thread only once its count says so
  kept.reserve(2 * kEach + 1);
  hallmark::testing::PrintingObserver observer;
  auto listener = net::Listener::OpenTcp("127.0.0.1:0");
  ASSERT_TRUE(listener.has_value());
  const std::string port = listener->address().substr(listener->address().rfind(':') + 1);
  auto acceptor = net::ConnectionAcceptor::Start(*std::move(listener), {100, 100},
                                                 std::make_unique<Keeper>(kept), observer);
  ASSERT_TRUE(acceptor.has_value());
  const auto counts = [&] { return (*acceptor)->counts(); };

  std::vector<net::UniqueFd> doomed;
  for (std::size_t i = 0; i < kEach; ++i) {
    doomed.push_back(ConnectSilently(port));
    const linger at_once{1, 0};
    setsockopt(doomed.back().get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  ASSERT_TRUE(Eventually([&] { return counts().accepted == kEach; }));
  doomed.clear();
  ASSERT_TRUE(Eventually([&] { return counts().open == 0; }));

  // The acceptor gives these the descriptor numbers that it had for the others.
  std::vector<net::UniqueFd> live;
  for (std::size_t i = 0; i < kEach; ++i) live.push_back(ConnectSilently(port));
  ASSERT_TRUE(Eventually([&] { return counts().open == kEach; }));
  for (std::size_t i = 0; i < kEach; ++i) shutdown(kept[i].get(), SHUT_RDWR);
  // Behind them in the acceptor's queue of events.
  live.push_back(ConnectSilently(port));
  ASSERT_TRUE(Eventually([&] { return counts().accepted == 2 * kEach + 1; }));
  EXPECT_EQ(counts().open, kEach + 1);
}

}  // namespace
}  // namespace hallmark::grpc_front
