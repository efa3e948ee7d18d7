// What the parts of a signed GenerateMac over the AWS protocol cost the server, one by one and
// without sockets: where the time goes that gRPC's call does not take.
#include "hallmark/v1/kms.pb.h"
#include "keystate/base64.h"
#include "service/authn/sigv4_authenticator.h"
#include "service/http/aws_handler.h"
#include "service/http/head_scanner.h"
#include "service/http/request_head.h"
#include "service/wire/json_codec.h"
#include "tests/bench/aws_requests.h"
#include "tests/service/authn/signed_requests.h"

#include <benchmark/benchmark.h>
#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::bench {
namespace {

using http_front::HeadScanner;
using http_front::RequestHead;

constexpr std::size_t kMaxHeadBytes = 16 * 1024;
constexpr std::size_t kMaxLines = 100;
constexpr std::size_t kMaxBodyBytes = 128 * 1024;

// Its own clock stands, as the request is one for all rounds.
struct Request {
  Request() {
    HeadScanner scanner(kMaxHeadBytes, kMaxLines);
    if (scanner.Scan(text) != HeadScanner::Found::kHead) std::abort();
    head_text = std::string_view(text).substr(0, scanner.head_bytes());
    body = std::string_view(text).substr(scanner.head_bytes());
    head = *http_front::ParseHead(head_text, kMaxBodyBytes);
    headers = head.HeaderViews();
  }

  static AccessKey Key() {
    const authn::TestSealer sealer;
    return {std::string(authn::kAlicesKey),
            ToHex(DeriveSecretAccessKey(sealer, authn::kAlicesKey).RevealForHsm())};
  }
  static LoadOptions Options() {
    LoadOptions options;
    options.target = "localhost:9444";
    return options;
  }

  authn::SignedRequest signed_request() const { return {head.method, head.target, headers, body}; }

  const std::string text = AwsRequests(Options(), Key()).Next();
  std::string_view head_text;
  std::string_view body;
  RequestHead head;
  std::vector<authn::HttpHeader> headers;
};

class Authenticator {
 public:
  Authenticator() {
    principals_.Publish(authn::UserWithKeys("Alice", {std::string(authn::kAlicesKey)}));
    clock_.Set(std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()));
  }
  authn::SigV4Authenticator& operator*() { return authenticator_; }
  authn::SettableClock& clock() { return clock_; }

 private:
  PrincipalDirectory principals_;
  const authn::TestSealer sealer_;
  authn::TestMarks marks_;
  authn::SettableClock clock_;
  authn::SigV4Authenticator authenticator_{
      {.region = std::string(authn::kRegion)}, principals_, sealer_, marks_, clock_};
};

void FillAnswer(v1::GenerateMacResponse* answer) {
  answer->set_key_id("arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab");
  answer->set_mac(std::string(32, '\x5a'));
  answer->set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
}

void BM_Head(benchmark::State& state) {
  const Request request;
  for (auto _ : state) {
    HeadScanner scanner(kMaxHeadBytes, kMaxLines);
    benchmark::DoNotOptimize(scanner.Scan(request.text));
    const auto head = http_front::ParseHead(request.head_text, kMaxBodyBytes);
    benchmark::DoNotOptimize(head->HeaderViews());
  }
}
BENCHMARK(BM_Head);

// The signing key is known: all that a second request of an access key costs.
void BM_Signature(benchmark::State& state) {
  const Request request;
  Authenticator authenticator;
  for (auto _ : state) {
    const auto caller = (*authenticator).Authenticate(request.signed_request());
    if (!caller) std::abort();
  }
}
BENCHMARK(BM_Signature);

// Of it, what OpenSSL does: the hashes of the body and of the canonical request, and the HMAC.
void BM_SignatureHashes(benchmark::State& state) {
  const std::string body(130, 'b');
  const std::string canonical(400, 'c');
  const std::string to_sign(140, 's');
  const authn::Sha256Digest key{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(authn::Sha256(body));
    benchmark::DoNotOptimize(authn::Sha256(canonical));
    benchmark::DoNotOptimize(authn::HmacSha256(key, to_sign));
  }
}
BENCHMARK(BM_SignatureHashes);

// With a message of so many bytes.
void BM_JsonRead(benchmark::State& state) {
  const std::string message(static_cast<std::size_t>(state.range(0)), 'm');
  const std::string body = R"({"KeyId":"alias/demo","Message":")" + EncodeBase64(message) +
                           R"(","MacAlgorithm":"HMAC_SHA_256"})";
  for (auto _ : state) {
    v1::GenerateMacRequest request;
    if (!wire::FromKmsJson(body, &request)) std::abort();
    benchmark::DoNotOptimize(request);
  }
}
BENCHMARK(BM_JsonRead)->Arg(32)->Arg(4096);

void BM_JsonWrite(benchmark::State& state) {
  v1::GenerateMacResponse answer;
  FillAnswer(&answer);
  for (auto _ : state) benchmark::DoNotOptimize(wire::ToKmsJson(answer));
}
BENCHMARK(BM_JsonWrite);

// Signature and JSON, too: from the head that was read to the answer, of which the operation itself
// is nothing here.
void BM_Handler(benchmark::State& state) {
  const Request request;
  Authenticator authenticator;
  http_front::AwsHandler handler(
      {.dispatch =
           [](const app::CallPtr&, const google::protobuf::Message&,
              google::protobuf::Message* response, const app::Done& done) {
             FillAnswer(static_cast<v1::GenerateMacResponse*>(response));
             done({});
           },
       .clock = authenticator.clock(),
       .audit = nullptr,
       .on_finished = [](const app::CallContext&, const Status&) {},
       .on_unserved = [](int) {},
       .on_unsupported = [](const app::AuditEvent&, const Error&) {}},
      *authenticator, std::chrono::seconds(10));
  for (auto _ : state) {
    handler.Handle(request.signed_request(), "127.0.0.1:41234",
                   [](const http_front::HttpAnswer& answer) {
                     if (answer.status != 200) std::abort();
                   });
  }
}
BENCHMARK(BM_Handler);

struct Delete {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

// Both ends of a connection in memory. They know each other by a key that both have: certificates
// are of the handshake alone.
class TlsPair {
 public:
  TlsPair() {
    BIO* a = nullptr;
    BIO* b = nullptr;
    if (BIO_new_bio_pair(&a, 0, &b, 0) != 1) std::abort();
    SSL_CTX_set_psk_client_callback(
        client_context_.get(),
        [](SSL*, const char*, char* identity, unsigned, unsigned char* key, unsigned) -> unsigned {
          identity[0] = 'a';
          identity[1] = '\0';
          return Key(key);
        });
    SSL_CTX_set_psk_server_callback(
        server_context_.get(),
        [](SSL*, const char*, unsigned char* key, unsigned) -> unsigned { return Key(key); });
    for (SSL_CTX* context : {client_context_.get(), server_context_.get()}) {
      SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
      // The suite of a key that is only bytes.
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    }
    client_.reset(SSL_new(client_context_.get()));
    server_.reset(SSL_new(server_context_.get()));
    SSL_set_bio(client_.get(), a, a);
    SSL_set_bio(server_.get(), b, b);
    SSL_set_connect_state(client_.get());
    SSL_set_accept_state(server_.get());
    for (int turn = 0; turn < 10; ++turn) {
      SSL_do_handshake(client_.get());
      SSL_do_handshake(server_.get());
    }
    // The tickets that follow the handshake.
    std::array<char, 1> nothing{};
    SSL_read(client_.get(), nothing.data(), 1);
    if (SSL_is_init_finished(server_.get()) != 1) std::abort();
  }

  static void Send(SSL* from, SSL* to, std::string_view text) {
    std::array<char, 4096> received{};
    if (SSL_write(from, text.data(), static_cast<int>(text.size())) <= 0 ||
        SSL_read(to, received.data(), received.size()) != static_cast<int>(text.size())) {
      std::abort();
    }
  }
  SSL* client() { return client_.get(); }
  SSL* server() { return server_.get(); }

 private:
  static unsigned Key(unsigned char* key) {
    std::fill_n(key, 32, static_cast<unsigned char>(7));
    return 32;
  }

  const std::unique_ptr<SSL_CTX, Delete> client_context_{SSL_CTX_new(TLS_client_method())};
  const std::unique_ptr<SSL_CTX, Delete> server_context_{SSL_CTX_new(TLS_server_method())};
  std::unique_ptr<SSL, Delete> client_;
  std::unique_ptr<SSL, Delete> server_;
};

// A request and an answer, each sealed at one end and opened at the other: the server's share is
// half of it.
void BM_TlsBothEnds(benchmark::State& state) {
  const Request request;
  const std::string answer(480, 'a');
  TlsPair pair;
  for (auto _ : state) {
    TlsPair::Send(pair.client(), pair.server(), request.text);
    TlsPair::Send(pair.server(), pair.client(), answer);
  }
}
BENCHMARK(BM_TlsBothEnds);

}  // namespace
}  // namespace hallmark::bench
