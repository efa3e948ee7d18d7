// Keeps a fixed number of signed GenerateMac calls under way over the AWS protocol, each on a
// connection of its own that is kept alive, and measures how they are answered.
//
// Client and server share the processors, so the client is kept cheap: one thread, no buffers
// beside OpenSSL's, bodies compared as bytes instead of parsed.
#include "service/net/listener.h"
#include "tests/bench/aws_requests.h"
#include "tests/bench/load_report.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::bench {
namespace {

struct Options : LoadOptions {
  std::string credentials;
  std::string profile = "hallmark";
};

struct Delete {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(addrinfo* addresses) const { freeaddrinfo(addresses); }
};

[[noreturn]] void Die(const std::string& reason) {
  std::fprintf(stderr, "%s\n", reason.c_str());
  std::exit(1);
}

net::UniqueFd Connect(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) Die("no address of " + host);
  const std::unique_ptr<addrinfo, Delete> addresses(found);
  net::UniqueFd fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd.valid() || connect(fd.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
    Die("cannot connect to " + host + ":" + port);
  }
  return fd;
}

struct Answer {
  std::string_view head;
  std::string_view body;

  bool ok() const { return head.starts_with("HTTP/1.1 200 "); }
};

// What has come, once it is a whole answer.
std::optional<Answer> WholeAnswer(std::string_view received) {
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const std::size_t end = received.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const Answer answer{received.substr(0, end), received.substr(end + 4)};
  std::size_t length = 0;
  if (const std::size_t at = answer.head.find(kLength); at != std::string_view::npos) {
    const std::string_view digits = answer.head.substr(at + kLength.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), length);
  }
  if (answer.body.size() < length) return std::nullopt;
  return answer;
}

// One caller and its connection.
struct Caller {
  net::UniqueFd fd;
  std::unique_ptr<SSL, Delete> ssl;
  std::string received;
  LoadClock::time_point started;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        requests_(options, ReadAccessKey(options.credentials, options.profile)),
        tls_(SSL_CTX_new(TLS_client_method())),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        callers_(options.callers) {
    if (tls_ == nullptr || !epoll_.valid() ||
        SSL_CTX_load_verify_locations(tls_.get(), options.ca.c_str(), nullptr) != 1) {
      Die("no TLS with " + options.ca);
    }
    SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER, nullptr);
    for (std::size_t i = 0; i < callers_.size(); ++i) Open(i);
  }

  nlohmann::json Run() {
    Tally tally(options_);
    for (Caller& caller : callers_) Start(caller, &tally);
    std::array<epoll_event, 64> events{};
    while (running_ > 0) {
      const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(std::chrono::milliseconds(kCallLimit).count()));
      if (count <= 0) {
        tally.CountError("no answer in time");
        break;
      }
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        Read(callers_[events[i].data.u64], &tally);
      }
    }
    return tally.Report(mac_);
  }

 private:
  void Open(std::size_t index) {
    Caller& caller = callers_[index];
    const std::size_t colon = options_.target.rfind(':');
    const std::string host = options_.target.substr(0, colon);
    caller.fd = Connect(host, options_.target.substr(colon + 1));
    caller.ssl.reset(SSL_new(tls_.get()));
    SSL* const ssl = caller.ssl.get();
    // An address is not among the names of a certificate.
    if (ssl == nullptr || (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) != 1 &&
                           SSL_set1_host(ssl, host.c_str()) != 1)) {
      Die("no TLS to " + host);
    }
    if (SSL_set_fd(ssl, caller.fd.get()) != 1 || SSL_connect(ssl) != 1) {
      Die("the handshake with " + options_.target + " failed");
    }
    ERR_clear_error();
    int on = 1;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    if (ioctl(caller.fd.get(), FIONBIO, &on) != 0 ||
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, caller.fd.get(), &event) != 0) {
      Die("cannot wait for the connection");
    }
    ++running_;
  }

  void Start(Caller& caller, Tally* tally) {
    caller.started = LoadClock::now();
    const std::string& request = requests_.Next();
    // It always has room: the connection carries nothing else.
    const int written =
        SSL_write(caller.ssl.get(), request.data(), static_cast<int>(request.size()));
    if (written != static_cast<int>(request.size())) End(caller, "a request was not taken", tally);
  }

  void Read(Caller& caller, Tally* tally) {
    std::array<char, 4096> bytes{};
    const int got = SSL_read(caller.ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (got <= 0) {
      const int reason = SSL_get_error(caller.ssl.get(), got);
      if (reason != SSL_ERROR_WANT_READ) End(caller, "the connection ended", tally);
      return;
    }
    caller.received.append(bytes.data(), static_cast<std::size_t>(got));
    const std::optional<Answer> answer = WholeAnswer(caller.received);
    if (!answer) return;
    const LoadClock::time_point now = LoadClock::now();
    tally->Tick(now);
    Count(*answer, caller.started, now, tally);
    caller.received.clear();
    if (tally->over()) {
      --running_;
    } else {
      Start(caller, tally);
    }
  }

  void Count(const Answer& answer, LoadClock::time_point started, LoadClock::time_point now,
             Tally* tally) {
    if (!answer.ok()) {
      tally->CountError(std::string(answer.head.substr(0, answer.head.find('\r'))) + " " +
                        std::string(answer.body));
    } else if (!IsRight(answer.body)) {
      tally->CountError("another MAC than the first answer's");
    } else {
      tally->CountRight(started, now);
    }
  }

  // Every request asks for the same, so every body is the same.
  bool IsRight(std::string_view body) {
    if (first_body_.empty()) {
      const nlohmann::json parsed = nlohmann::json::parse(body, nullptr, false);
      const auto mac = parsed.is_object() ? parsed.find("Mac") : parsed.end();
      if (mac == parsed.end() || !mac->is_string()) return false;
      mac_ = *mac;
      first_body_ = body;
    }
    return body == first_body_;
  }

  void End(Caller& caller, const char* error, Tally* tally) {
    tally->CountError(error);
    static_cast<void>(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, caller.fd.get(), nullptr));
    --running_;
  }

  const Options options_;
  AwsRequests requests_;
  const std::unique_ptr<SSL_CTX, Delete> tls_;
  const net::UniqueFd epoll_;
  std::vector<Caller> callers_;
  std::size_t running_ = 0;
  std::string first_body_;
  std::string mac_;  // of it
};

}  // namespace
}  // namespace hallmark::bench

int main(int argc, char** argv) {
  hallmark::bench::Options options;
  CLI::App app("Calls GenerateMac over the AWS protocol as fast as it is answered; prints JSON");
  hallmark::bench::AddLoadOptions(app, &options);
  app.add_option("--credentials", options.credentials,
                 "File with the access key, as of the AWS CLI")
      ->required();
  app.add_option("--profile", options.profile, "Its section")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::puts(hallmark::bench::Load(options).Run().dump(2).c_str());
}
