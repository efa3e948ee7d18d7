// A request as it came over HTTP, for who reads it and for who checks its signature.
#pragma once

#include <span>
#include <string_view>

namespace hallmark::authn {

struct HttpHeader {
  std::string_view name;   // as sent; names know no case
  std::string_view value;  // without the white space around it
};

// Borrows everything.
struct SignedRequest {
  std::string_view method;
  std::string_view target;  // path and query as sent: "/?a=b"
  std::span<const HttpHeader> headers;
  std::string_view body;
};

}  // namespace hallmark::authn
