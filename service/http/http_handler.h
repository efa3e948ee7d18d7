// What stands between the HTTP server and what it serves.
#pragma once

#include "service/authn/signed_request.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark::http_front {

// Of every answer with a body, and of every request.
inline constexpr std::string_view kContentType = "application/x-amz-json-1.1";

// (status, headers, body): the header x-amzn-RequestId has `request_id`, and Content-Type is
// kContentType. The server adds what belongs to the connection.
struct HttpAnswer {
  int status = 200;
  std::string request_id;
  std::optional<std::chrono::milliseconds> retry_after{};  // the header Retry-After
  std::string body{};
  // Of nobody who is known: the connection ends with it, so that strangers cannot keep their place.
  bool ends_connection = false;
};

// Thread-safety: may be called from any thread.
class HttpHandler {
 public:
  // Exactly once, on any thread; never throws.
  using Answer = std::function<void(HttpAnswer)>;
  // Set when the caller has gone: what waits is not begun. Null: answered already.
  using Cancelled = std::shared_ptr<std::atomic<bool>>;

  virtual ~HttpHandler() = default;

  // `request` and `peer`, "127.0.0.1:41234", are looked at until it returns and not later. May be
  // held up by a token or a disk. Never throws.
  virtual Cancelled Handle(const authn::SignedRequest& request, std::string_view peer,
                           Answer answer) = 0;

  // Told of what never became a request: the connection answered it with `status` by itself.
  virtual void Refused(int status) noexcept = 0;
};

}  // namespace hallmark::http_front
