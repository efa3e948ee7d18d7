#include "pkcs11/connection.h"

#include "pkcs11/check_value.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

namespace hallmark::pkcs11 {
namespace {

// Between two attempts to bring a token back: soon enough for callers that retry, rare enough not
// to hammer a device that is starting.
constexpr std::chrono::seconds kProbeInterval{1};

std::size_t SessionLimit(CK_ULONG reported) {
  const bool unlimited =
      reported == CK_EFFECTIVELY_INFINITE || reported == CK_UNAVAILABLE_INFORMATION;
  return unlimited ? SIZE_MAX : reported;
}

OpenError TokenError(const TokenUri& uri, const CkFault& fault) {
  return {OpenFailure::kTokenError, "the token " + uri.text() + " answered with an error (" +
                                        ToString(fault) + "): check the token and its driver"};
}

SteadyTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

Connection::Connection(const TokenOptions& options, const TokenRecord& anchor, TokenAccess access,
                       EventSink events)
    : options_(options), anchor_(anchor), access_(std::move(access)), events_(std::move(events)) {}

Result<std::shared_ptr<Connection>, OpenError> Connection::Open(const TokenOptions& options,
                                                                const TokenRecord& anchor,
                                                                RandomSource& random,
                                                                EventSink events) {
  HALLMARK_ASSIGN_OR_RETURN(TokenAccess access, TokenAccess::Prepare(options, random));
  std::shared_ptr<Connection> connection(
      new Connection(options, anchor, std::move(access), std::move(events)));
  if (connection->access_.restored_files() > 0) {
    connection->Notify(Severity::kAlarm,
                       "token " + options.token_id +
                           ": its file was empty, as a crash in the middle of a login leaves it, "
                           "and was put back from the copy");
  }
  HALLMARK_RETURN_IF_ERROR(connection->Connect(AnchorSession::kReplace));
  return connection;
}

void Connection::SizePool(const CK_TOKEN_INFO& info) {
  const std::size_t limit =
      std::min(SessionLimit(info.ulMaxSessionCount), SessionLimit(info.ulMaxRwSessionCount));
  const std::size_t wanted =
      options_.sessions != 0 ? options_.sessions
                             : 2 * std::max<std::size_t>(1, std::thread::hardware_concurrency());
  // One is taken already, by the session that keeps the login.
  const std::size_t allowed = limit > 1 ? limit - 1 : 1;
  const std::size_t sessions =
      std::min(wanted + kControlSessions + options_.max_hung_calls, allowed);
  workers_ = std::min(wanted, sessions);
  if (workers_ < wanted) {
    Notify(Severity::kWarning, "token " + token_id() + " allows " + std::to_string(limit) +
                                   " sessions: MACs are computed by " + std::to_string(workers_) +
                                   " threads instead of " + std::to_string(wanted));
  }
  pool_ =
      std::make_unique<SessionPool>(access_.module()->functions(), entered_->token.slot, sessions);
}

Result<CK_OBJECT_HANDLE, OpenError> Connection::ProveAnchor(Session& session) const {
  const auto absent = [this](const std::string& reason) {
    return Unexpected(
        OpenError{OpenFailure::kTokenAbsent,
                  "the token " + access_.uri().text() + " " + reason +
                      ": connect the right token, or make this one known with `hallmark "
                      "token init`"});
  };
  AttributeTemplate search;
  FillSearchTemplate(anchor_.anchor_cka_id, &search);
  const CkResult<std::vector<CK_OBJECT_HANDLE>> found = session.Find(search);
  if (!found.has_value()) return Unexpected(TokenError(access_.uri(), found.error()));
  if (found->empty()) return absent("does not hold our anchor key");
  if (found->size() > 1) return absent("holds our anchor key's CKA_ID more than once");
  const CkResult<KeyCheckValue> check_value =
      ComputeCheckValue(session, CKM_SHA256_HMAC, found->front(), KeySpec::kHmac256);
  if (!check_value.has_value()) return Unexpected(TokenError(access_.uri(), check_value.error()));
  if (!EqualInConstantTime(*check_value, anchor_.anchor_check_value)) {
    return absent("holds another key in place of our anchor key");
  }
  return found->front();
}

Result<void, OpenError> Connection::Connect(AnchorSession anchor_session) {
  if (anchor_session == AnchorSession::kKeepIfAlive && entered_ &&
      entered_->session.LoggedIn().has_value()) {
    return {};
  }
  std::optional<EnteredToken> previous = std::exchange(entered_, std::nullopt);
  if (anchor_session == AnchorSession::kReplace) previous.reset();
  HALLMARK_ASSIGN_OR_RETURN(EnteredToken entered, access_.Enter(std::move(previous)));
  // Kept also if a later step fails: closing it would log out whoever else is logged in.
  entered_.emplace(std::move(entered));
  Session& session = entered_->session;
  HALLMARK_RETURN_IF_ERROR(ProveAnchor(session));

  handles_.BeginScan();
  const CkResult<KeyScan> scan = ScanKeys(session);
  if (!scan.has_value()) return Unexpected(TokenError(access_.uri(), scan.error()));
  if (pool_ == nullptr) {
    mechanisms_ = Mechanisms::Ask(access_.module()->functions(), entered_->token.slot);
    SizePool(entered_->token.info);
  } else {
    pool_->Reset(entered_->token.slot);
  }
  handles_.FinishScan(*scan);
  return {};
}

Result<void, OpenError> Connection::ConnectGuarded(AnchorSession anchor_session) {
  try {
    return Connect(anchor_session);
  } catch (const std::exception& thrown) {
    return Unexpected(OpenError{OpenFailure::kTokenError, "the token " + access_.uri().text() +
                                                              " could not be brought back (" +
                                                              thrown.what() +
                                                              "): see to the machine's memory"});
  }
}

Result<SecretBytes, OpenError> Connection::DeriveSecret(std::string_view text) {
  HALLMARK_ASSIGN_OR_RETURN(const CK_OBJECT_HANDLE anchor, ProveAnchor(entered_->session));
  const CkResult<MacTag> tag = entered_->session.Sign(CKM_SHA256_HMAC, anchor, AsBytes(text),
                                                      Row(KeySpec::kHmac256).mac_bytes);
  if (!tag.has_value()) return Unexpected(TokenError(access_.uri(), tag.error()));
  return SecretBytes(tag->bytes());
}

Result<void, OpenError> Connection::TakeTurnAndConnect(std::uint64_t generation,
                                                       AnchorSession anchor_session,
                                                       SteadyTime deadline) {
  {
    MutexLock lock(mu_);
    while (connecting_) {
      if (changed_.wait_until(mu_, deadline) == std::cv_status::timeout && connecting_) {
        return Unexpected(
            OpenError{OpenFailure::kTokenError,
                      "the token " + access_.uri().text() +
                          " was not ready in time: somebody else is bringing it back"});
      }
    }
    if (handles_.generation() != generation) return {};
    connecting_ = true;
  }
  Result<void, OpenError> connected = ConnectGuarded(anchor_session);
  bool is_news = false;
  {
    MutexLock lock(mu_);
    connecting_ = false;
    std::string failure = connected.has_value() ? std::string() : connected.error().message;
    is_news = !failure.empty() && failure != last_failure_;
    last_failure_ = std::move(failure);
  }
  changed_.notify_all();
  if (is_news) Notify(Severity::kAlarm, connected.error().message);
  return connected;
}

Result<void, OpenError> Connection::RenewWith(AnchorSession anchor_session,
                                              std::uint64_t generation, SteadyTime deadline) {
  Result<void, OpenError> renewed = TakeTurnAndConnect(generation, anchor_session, deadline);
  // A turn not got in time says nothing about the token.
  if (!renewed.has_value() && Now() < deadline) ReportOut(renewed.error().message, generation);
  return renewed;
}

Result<void, OpenError> Connection::Renew(std::uint64_t generation, SteadyTime deadline) {
  return RenewWith(AnchorSession::kKeep, generation, deadline);
}

Result<void, OpenError> Connection::RenewIfLoginLost(std::uint64_t generation,
                                                     SteadyTime deadline) {
  return RenewWith(AnchorSession::kKeepIfAlive, generation, deadline);
}

void Connection::ReportOut(const std::string& reason, std::uint64_t generation) {
  {
    MutexLock lock(mu_);
    // A call that began before the last recovery says nothing about the token now.
    if (!available() || handles_.generation() != generation) return;
    available_.store(false, std::memory_order_relaxed);
  }
  changed_.notify_all();
  Notify(Severity::kAlarm, "token " + token_id() + " is out of service (" + reason +
                               "): its keys are unavailable until it answers again");
}

void Connection::RunProbe() {
  SteadyTime next{};
  for (;;) {
    {
      MutexLock lock(mu_);
      while (!stopping_ && available()) changed_.wait(mu_);
      while (!stopping_ && Now() < next) changed_.wait_until(mu_, next);
      if (stopping_) return;
    }
    const std::uint64_t before = handles_.generation();
    const Result<void, OpenError> connected =
        TakeTurnAndConnect(before, AnchorSession::kReplace, Now() + kProbeInterval);
    next = Now() + kProbeInterval;
    if (!connected.has_value()) continue;
    {
      MutexLock lock(mu_);
      available_.store(true, std::memory_order_relaxed);
    }
    Notify(Severity::kInfo, "token " + token_id() + " is in service again");
  }
}

void Connection::StopProbe() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
  }
  changed_.notify_all();
}

void Connection::Notify(Severity severity, const std::string& text) {
  // Held across the callback, against the rule, so that Silence can promise what it does; a sink
  // does not block and does not call back.
  MutexLock lock(events_mu_);
  if (events_) events_(severity, text);
}

void Connection::Silence() {
  MutexLock lock(events_mu_);
  events_ = nullptr;
}

}  // namespace hallmark::pkcs11
