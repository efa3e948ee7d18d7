#include "service/http/request_head.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

namespace hallmark::http_front {
namespace {

namespace http = boost::beast::http;
using Fields = http::request<http::empty_body>;

std::string TextOf(boost::beast::string_view view) { return {view.data(), view.size()}; }

Unexpected<HttpRefusal> Refuse(int status, const char* reason) {
  return Unexpected(HttpRefusal{status, reason});
}

// "PRI * HTTP/2.0": method, target and a version, whichever. Beast takes a space too many for a
// version that it does not know.
bool HasVersion(std::string_view head) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  return std::count(line.begin(), line.end(), ' ') == 2 &&
         line.substr(line.rfind(' ') + 1).starts_with("HTTP/");
}

Result<std::size_t, HttpRefusal> BodyLength(const Fields& fields, std::size_t most) {
  const auto lengths = fields.count(http::field::content_length);
  if (fields.count(http::field::transfer_encoding) > 0) {
    if (lengths > 0) return Refuse(400, "Content-Length and Transfer-Encoding exclude each other.");
    return Refuse(411, "Transfer-Encoding is not taken: send a Content-Length.");
  }
  if (lengths == 0) return std::size_t{0};
  const std::string text = TextOf(fields[http::field::content_length]);
  // A list of equal numbers would be one to some readers.
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  if (lengths > 1 || !digits) return Refuse(400, "Content-Length must be one number.");
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || length > most) return Refuse(413, "The body is too long.");
  return static_cast<std::size_t>(length);
}

}  // namespace

std::vector<authn::HttpHeader> RequestHead::HeaderViews() const {
  std::vector<authn::HttpHeader> views;
  views.reserve(headers.size());
  for (const Header& header : headers) views.push_back({header.name, header.value});
  return views;
}

Result<RequestHead, HttpRefusal> ParseHead(std::string_view text, std::size_t max_body_bytes) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());  // the scanner had one
  // Not none: Boost 1.74 takes that for less than any length.
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  boost::beast::error_code error;
  parser.put(boost::asio::const_buffer(text.data(), text.size()), error);
  if (error == http::error::bad_version && HasVersion(text)) {
    return Refuse(505, "Only HTTP/1.1 is served.");
  }
  if (error || !parser.is_header_done()) return Refuse(400, "This is not a request of HTTP/1.1.");
  const Fields& fields = parser.get();
  if (fields.version() != 11) return Refuse(505, "Only HTTP/1.1 is served.");
  if (fields.count(http::field::host) != 1) return Refuse(400, "One header Host must be given.");
  HALLMARK_ASSIGN_OR_RETURN(const std::size_t length, BodyLength(fields, max_body_bytes));

  RequestHead head;
  head.content_length = length;
  const auto expectations = fields.count(http::field::expect);
  if (expectations > 0) {
    if (expectations > 1 || !boost::beast::iequals(fields[http::field::expect], "100-continue")) {
      return Refuse(417, "Nothing but 100-continue may be expected.");
    }
    head.expects_continue = true;
  }
  head.method = TextOf(fields.method_string());
  head.target = TextOf(fields.target());
  // An answer to HEAD has no body, and ours have: no second one is read after it.
  head.keep_alive = fields.keep_alive() && fields.method() != http::verb::head;
  for (const auto& field : fields) {
    head.headers.push_back({TextOf(field.name_string()), TextOf(field.value())});
  }
  return head;
}

}  // namespace hallmark::http_front
