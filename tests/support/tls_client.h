// A client that says over TLS exactly what a test wants said.
#pragma once

#include "service/net/listener.h"

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark::testing {

// A TCP connection to a port of 127.0.0.1.
net::UniqueFd ConnectTcp(std::uint16_t port);

struct ReceivedAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class TlsClient {
 public:
  struct Options {
    std::string ca_pem{};  // empty: the server's certificate is not checked
    int lowest_version = TLS1_2_VERSION;
    int highest_version = TLS1_3_VERSION;
  };

  // Connects; `connected` says whether the handshake succeeded.
  explicit TlsClient(std::uint16_t port, const Options& options);
  explicit TlsClient(std::uint16_t port) : TlsClient(port, Options()) {}

  bool connected() const { return connected_; }
  int version() const { return SSL_version(ssl_.get()); }

  // False: the server does not take it any more.
  bool Send(std::string_view bytes);
  // The next answer, in order; nothing: the server ended the connection before a whole one, or said
  // nothing for `patience`.
  std::optional<ReceivedAnswer> Receive(std::chrono::seconds patience = std::chrono::seconds(20));
  // Whether the server ends the connection within 20 seconds, without another answer.
  bool IsEnded();
  // What came and is no whole answer yet.
  const std::string& rest() const { return received_; }
  // Waits for anything at all.
  bool Fill(std::chrono::seconds patience);

 private:
  struct Delete {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  net::UniqueFd fd_;
  std::unique_ptr<SSL_CTX, Delete> context_;
  std::unique_ptr<SSL, Delete> ssl_;
  bool connected_ = false;
  std::string received_;
};

// "POST / HTTP/1.1" with a body and such headers beside Host and Content-Length ("A: b\r\n").
std::string Post(std::string_view body, std::string_view headers = "");

}  // namespace hallmark::testing
