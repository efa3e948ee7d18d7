#include "tests/support/tls_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

namespace hallmark::testing {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

// Takes one whole answer off the front.
std::optional<ReceivedAnswer> TakeAnswer(std::string& received) {
  const std::size_t end = received.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  ReceivedAnswer answer;
  answer.status = std::atoi(received.substr(received.find(' ') + 1, 3).c_str());
  std::size_t begin = received.find("\r\n") + 2;
  while (begin < end + 2) {
    const std::size_t line_end = received.find("\r\n", begin);
    const std::string line = received.substr(begin, line_end - begin);
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos)
      answer.headers[Lower(line.substr(0, colon))] = line.substr(colon + 2);
    begin = line_end + 2;
  }
  const auto length = static_cast<std::size_t>(std::atoi(answer.headers["content-length"].c_str()));
  if (received.size() < end + 4 + length) return std::nullopt;
  answer.body = received.substr(end + 4, length);
  received.erase(0, end + 4 + length);
  return answer;
}

}  // namespace

net::UniqueFd ConnectTcp(std::uint16_t port) {
  net::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  return fd;
}

TlsClient::TlsClient(std::uint16_t port, const Options& options)
    : fd_(ConnectTcp(port)), context_(SSL_CTX_new(TLS_client_method())) {
  // To write to a server that has ended the connection is an error here, not the end of the test.
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX_set_min_proto_version(context_.get(), options.lowest_version);
  SSL_CTX_set_max_proto_version(context_.get(), options.highest_version);
  if (!options.ca_pem.empty()) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
        BIO_new_mem_buf(options.ca_pem.data(), static_cast<int>(options.ca_pem.size())), &BIO_free);
    const std::unique_ptr<X509, decltype(&X509_free)> ca(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), ca.get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  }
  ssl_.reset(SSL_new(context_.get()));
  SSL_set_fd(ssl_.get(), fd_.get());
  SSL_set_tlsext_host_name(ssl_.get(), "localhost");
  connected_ = SSL_connect(ssl_.get()) == 1;
}

bool TlsClient::Send(std::string_view bytes) {
  return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
         static_cast<int>(bytes.size());
}

bool TlsClient::Fill(std::chrono::seconds patience) {
  const timeval wait{patience.count(), 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  std::array<char, 16 * 1024> buffer{};
  const int got = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
  if (got > 0) received_.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0;
}

std::optional<ReceivedAnswer> TlsClient::Receive(std::chrono::seconds patience) {
  for (;;) {
    if (auto answer = TakeAnswer(received_)) return answer;
    if (!Fill(patience)) return std::nullopt;
  }
}

bool TlsClient::IsEnded() {
  const timeval wait{20, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  char byte = 0;
  const int got = SSL_read(ssl_.get(), &byte, 1);
  // Without a word in time it would be a wish to read on.
  return got <= 0 && SSL_get_error(ssl_.get(), got) != SSL_ERROR_WANT_READ && received_.empty();
}

std::string Post(std::string_view body, std::string_view headers) {
  return std::string("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ") +
         std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

}  // namespace hallmark::testing
