#include "service/http/http_connection.h"

#include "service/app/request_id.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/status.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <limits>
#include <utility>
#include <vector>

namespace hallmark::http_front {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Most clients send a whole request in less.
constexpr std::size_t kReadBytes = 4 * 1024;
constexpr std::size_t kMaxReadBytes = 16 * 1024;
// What a client has to take notice of the end, and to take the last answer before it.
constexpr std::chrono::milliseconds kLingerTime{2'000};
constexpr auto kForEver = std::chrono::milliseconds::max();
constexpr auto kNoDeadline = std::numeric_limits<SteadyTime::rep>::max();
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Marks the thread as one that may be held up.
class AtWork {
 public:
  AtWork() {
    if (desk_ != nullptr) desk_->Begin();
  }
  ~AtWork() {
    if (desk_ != nullptr) desk_->End();
  }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;

 private:
  net::Crew::Desk* const desk_ = Hub::desk_;
};

std::string PeerOf(const asio::ip::tcp::socket& socket) {
  error_code error;
  const asio::ip::tcp::endpoint endpoint = socket.remote_endpoint(error);
  if (error) return {};
  asio::ip::address address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  const std::string host = address.to_string();
  return (address.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

// "Sun, 06 Nov 1994 08:49:37 GMT". Some SDKs correct their clocks by it.
std::string HttpDate() {
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 40> text{};
  // strftime's names depend on the locale, which a library may have set.
  const int size = std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                 kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                                 kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900,
                                 utc.tm_hour, utc.tm_min, utc.tm_sec);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string TextOf(const HttpAnswer& answer, bool keep_alive) {
  const auto reason =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(answer.status));
  std::string text;
  text.reserve(320 + answer.body.size());
  text.append("HTTP/1.1 ").append(std::to_string(answer.status)).append(" ");
  text.append(reason.data(), reason.size());
  text.append("\r\nx-amzn-RequestId: ").append(answer.request_id);
  text.append("\r\nContent-Type: ").append(kContentType);
  text.append("\r\nContent-Length: ").append(std::to_string(answer.body.size()));
  if (answer.retry_after.has_value()) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*answer.retry_after);
    text.append("\r\nRetry-After: ").append(std::to_string(seconds.count()));
  }
  text.append("\r\nCache-Control: no-store\r\nDate: ").append(HttpDate());
  text.append(keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n");
  text.append(answer.body);
  return text;
}

}  // namespace

thread_local net::Crew::Desk* Hub::desk_ = nullptr;

Connection::Connection(Hub& hub, asio::ip::tcp::socket socket, asio::ssl::context& tls)
    : hub_(hub),
      stream_(std::move(socket), tls),
      fd_(stream_.next_layer().native_handle()),
      peer_(PeerOf(stream_.next_layer())),
      scanner_(hub.options.max_head_bytes, hub.options.max_header_lines),
      deadline_(kNoDeadline) {
  MutexLock lock(hub_.mu);
  hub_.connections.insert(this);
}

Connection::~Connection() {
  {
    MutexLock lock(hub_.mu);
    hub_.connections.erase(this);
  }
  ShutDownSocket();  // by which the acceptor sees the end
  Release();
}

void Connection::Start() {
  Enter(Phase::kIdle, hub_.options.handshake_timeout);
  stream_.async_handshake(asio::ssl::stream_base::server,
                          [self = shared_from_this()](const error_code& error) {
                            if (!error) self->BeginRequest();
                          });
}

void Connection::EndIfOverdue(SteadyTime now) {
  if (now.time_since_epoch().count() >= deadline_.load(std::memory_order_relaxed)) {
    ShutDownSocket();
  }
}

void Connection::EndIfUnanswering() {
  if (phase_ != Phase::kAnswering) ShutDownSocket();
}

void Connection::CutOff() {
  {
    MutexLock lock(mu_);
    cut_off_ = true;
    if (cancelled_ != nullptr) cancelled_->store(true, std::memory_order_relaxed);
  }
  ShutDownSocket();
}

void Connection::ShutDownSocket() { ::shutdown(fd_, SHUT_RDWR); }

void Connection::Enter(Phase phase, std::chrono::milliseconds at_most) {
  const auto now = std::chrono::steady_clock::now();
  deadline_.store(at_most == kForEver ? kNoDeadline : (now + at_most).time_since_epoch().count(),
                  std::memory_order_relaxed);
  phase_ = phase;
}

std::string_view Connection::received() const {
  const auto data = buffer_.data();
  return {static_cast<const char*>(data.data()), data.size()};
}

void Connection::ReadMore(std::size_t wanted, Step next) {
  const std::size_t bytes = std::clamp(wanted, kReadBytes, kMaxReadBytes);
  stream_.async_read_some(buffer_.prepare(bytes), [self = shared_from_this(), next](
                                                      const error_code& error, std::size_t got) {
    if (error) return;
    self->buffer_.commit(got);
    ((*self).*next)();
  });
}

void Connection::BeginRequest() {
  scanner_.Reset();
  if (buffer_.size() > 0) {
    Enter(Phase::kReading, hub_.options.request_timeout);
    return ReadHead();
  }
  if (buffer_.capacity() > kReadBytes) buffer_ = boost::beast::flat_buffer();
  Enter(Phase::kIdle, known_ ? hub_.options.idle_timeout : hub_.options.request_timeout);
  // Looked at after the phase, so that either we see it or who sets it sees us idle.
  if (hub_.draining) return Close();
  ReadMore(kReadBytes, &Connection::ReadHead);
}

void Connection::ReadHead() {
  if (phase_ == Phase::kIdle) Enter(Phase::kReading, hub_.options.request_timeout);
  switch (scanner_.Scan(received())) {
    case HeadScanner::Found::kNothingYet:
      return ReadMore(kReadBytes, &Connection::ReadHead);
    case HeadScanner::Found::kHead:
      return OnHead();
    case HeadScanner::Found::kMalformed:
      return Refuse({400, "This is not a request of HTTP/1.1."});
    case HeadScanner::Found::kTooLong:
      return Refuse({431, "The headers are too long or too many."});
  }
}

void Connection::OnHead() {
  Result<RequestHead, HttpRefusal> head =
      ParseHead(received().substr(0, scanner_.head_bytes()), hub_.options.max_body_bytes);
  if (!head) return Refuse(head.error());
  head_ = *std::move(head);
  buffer_.consume(scanner_.head_bytes());
  keep_alive_ = head_.keep_alive;
  if (!Reserve(head_.content_length)) return Refuse({503, "Too many requests are on their way."});
  Enter(Phase::kReading, hub_.options.request_timeout);
  if (head_.expects_continue && buffer_.size() < head_.content_length) {
    out_ = kContinue;
    return Write(&Connection::ReadBody);
  }
  ReadBody();
}

void Connection::ReadBody() {
  if (buffer_.size() >= head_.content_length) return Call();
  ReadMore(head_.content_length - buffer_.size(), &Connection::ReadBody);
}

void Connection::Call() {
  // The answer may come, and be followed by the next request, before Handle has returned: from here
  // on nothing that they use is touched.
  const RequestHead head = std::move(head_);
  const std::string body(received().substr(0, head.content_length));
  buffer_.consume(head.content_length);
  const std::vector<authn::HttpHeader> headers = head.HeaderViews();
  const std::string peer = peer_;
  const std::shared_ptr<Connection> self = shared_from_this();
  HttpHandler::Answer answer = [self](const HttpAnswer& with) { self->Answer(with); };
  Enter(Phase::kAnswering, kForEver);  // the call has a deadline of its own
  std::uint64_t call = 0;
  {
    MutexLock lock(mu_);
    call = ++calls_;
    call_ = call;
  }
  // Nothing from here to the answer may throw: who stops waits for it.
  hub_.active.Begin();
  HttpHandler::Cancelled cancelled;
  {
    const AtWork at_work;
    cancelled =
        hub_.handler.Handle({head.method, head.target, headers, body}, peer, std::move(answer));
  }
  MutexLock lock(mu_);
  if (call_ != call || cancelled == nullptr) return;
  if (cut_off_) cancelled->store(true, std::memory_order_relaxed);
  cancelled_ = std::move(cancelled);
}

void Connection::Answer(const HttpAnswer& answer) noexcept {
  {
    MutexLock lock(mu_);
    call_.reset();
    cancelled_ = nullptr;
  }
  Release();
  try {
    known_ = known_ || !answer.ends_connection;
    keep_alive_ = keep_alive_ && !hub_.draining && !answer.ends_connection;
    out_ = TextOf(answer, keep_alive_);
    Enter(Phase::kAnswering, hub_.options.request_timeout);
    Write(&Connection::OnAnswered);
  } catch (const std::exception&) {  // no memory for the answer
    ShutDownSocket();
  }
  hub_.active.End();
}

void Connection::Refuse(const HttpRefusal& refusal) {
  hub_.handler.Refused(refusal.status);
  keep_alive_ = false;
  Release();
  const std::string body = std::string(R"({"message":")") + refusal.reason + R"("})";
  out_ = TextOf({.status = refusal.status, .request_id = app::NewRequestId(), .body = body},
                keep_alive_);
  Enter(Phase::kAnswering, hub_.options.request_timeout);
  Write(&Connection::OnAnswered);
}

void Connection::Write(Step next) {
  asio::async_write(stream_, asio::buffer(out_),
                    [self = shared_from_this(), next](const error_code& error, std::size_t) {
                      if (error) return;
                      ((*self).*next)();
                    });
}

void Connection::OnAnswered() {
  if (out_.capacity() > kReadBytes) out_ = {};
  if (keep_alive_) return BeginRequest();
  Close();
}

void Connection::Close() {
  Enter(Phase::kAnswering, kLingerTime);
  stream_.async_shutdown([self = shared_from_this()](const error_code&) {
    error_code ignored;
    self->stream_.next_layer().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    self->Linger();
  });
}

// Closing while something unread has come would reset the connection, and take the answer that is
// on its way with it.
void Connection::Linger() {
  buffer_.clear();
  stream_.next_layer().async_read_some(
      buffer_.prepare(kReadBytes),
      [self = shared_from_this()](const error_code& error, std::size_t) {
        if (!error) self->Linger();
      });
}

bool Connection::Reserve(std::size_t bytes) {
  reserved_bytes_ = bytes;
  if (hub_.buffered_bytes.fetch_add(bytes) + bytes <= hub_.options.max_buffered_bytes) return true;
  Release();
  return false;
}

void Connection::Release() { hub_.buffered_bytes.fetch_sub(std::exchange(reserved_bytes_, 0)); }

}  // namespace hallmark::http_front
