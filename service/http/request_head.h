// The head of an HTTP request, read and judged.
#pragma once

#include "keystate/result.h"
#include "service/authn/signed_request.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::http_front {

// Why a request is not taken, whatever it asks for. The connection ends with it, since where the
// next request would begin is not known or would be the sender's choice.
struct HttpRefusal {
  int status;
  const char* reason;  // for the caller
};

struct RequestHead {
  struct Header {
    std::string name;
    std::string value;
  };

  std::string method;
  std::string target;
  std::vector<Header> headers;  // in their order
  std::size_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;

  // Borrows from this.
  std::vector<authn::HttpHeader> HeaderViews() const;
};

// `text` is what HeadScanner found. HTTP/1.1 with one Host; the body's length is told by one
// Content-Length or there is no body: chunked bodies are refused, since no client of KMS sends them
// and two ways to tell a length are how requests are smuggled.
Result<RequestHead, HttpRefusal> ParseHead(std::string_view text, std::size_t max_body_bytes);

}  // namespace hallmark::http_front
