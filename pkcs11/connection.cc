#include "pkcs11/connection.h"

#include "pkcs11/check_value.h"

#include <algorithm>
#include <exception>
#include <string>
#include <thread>
#include <utility>

namespace hallmark::pkcs11 {
namespace {

// Between two attempts to bring a token back: at first soon enough for callers that wait, then rare
// enough not to hammer a device that is starting, and soon enough for it to serve within a second.
constexpr std::chrono::milliseconds kFirstRetry{50};
constexpr std::chrono::milliseconds kLongestRetry{500};
// How long callers wait for a token that is being mended.
constexpr std::chrono::seconds kPatience{2};
// How long a recovery waits for calls under way. One that begins without them is safe: what they
// bring is not used.
constexpr std::chrono::milliseconds kCallsComeBack{500};
// How long the end of a token in use waits for another that is initialising the module.
constexpr std::chrono::seconds kCloseWait{2};

std::size_t SessionLimit(CK_ULONG reported) {
  const bool unlimited =
      reported == CK_EFFECTIVELY_INFINITE || reported == CK_UNAVAILABLE_INFORMATION;
  return unlimited ? SIZE_MAX : reported;
}

OpenError TokenError(const TokenUri& uri, const CkFault& fault) {
  return {OpenFailure::kTokenError, "the token " + uri.text() + " answered with an error (" +
                                        ToString(fault) + "): check the token and its driver"};
}

// Whether trying harder may help: it does not against a wrong PIN.
bool MayPass(const OpenError& error) {
  return error.failure == OpenFailure::kTokenAbsent || error.failure == OpenFailure::kTokenError;
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
  {
    // Until RunKeeper: who initialises the module waits for us.
    MutexLock lock(connection->mu_);
    connection->turn_taken_ = true;
  }
  connection->access_.module()->Join(connection);
  HALLMARK_RETURN_IF_ERROR(connection->MendNow(Trouble::kDevice));
  return connection;
}

Connection::~Connection() {
  const auto close = [this] {
    pool_.reset();
    entered_.reset();
  };
  // While the module is initialised again nobody may call it; sessions end by that anyway.
  if (!access_.module()->WhileInitialised(Now() + kCloseWait, close)) ForgetSessions();
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

Result<void, OpenError> Connection::Connect() {
  HALLMARK_ASSIGN_OR_RETURN(EnteredToken entered,
                            access_.Enter(std::exchange(entered_, std::nullopt)));
  // Kept also if a later step fails: closing it would log out whoever else is logged in.
  entered_.emplace(std::move(entered));
  Session& session = entered_->session;
  HALLMARK_RETURN_IF_ERROR(ProveAnchor(session));
  const CkResult<KeyScan> scan = ScanKeys(session);
  if (!scan.has_value()) return Unexpected(TokenError(access_.uri(), scan.error()));
  if (!scan->Contains(anchor_.anchor_cka_id)) {
    return Unexpected(OpenError{OpenFailure::kTokenError,
                                "the token " + access_.uri().text() +
                                    " does not list our anchor key, which it has, among its keys: "
                                    "check the token and its driver"});
  }
  if (pool_ == nullptr) {
    mechanisms_ = Mechanisms::Ask(access_.module()->functions(), entered_->token.slot);
    SizePool(entered_->token.info);
  }
  handles_.FinishScan(*scan);
  pool_->Reset(entered_->token.slot);
  return {};
}

Result<void, OpenError> Connection::Climb(Trouble trouble) {
  if (trouble == Trouble::kSession && entered_ && entered_->session.LoggedIn().has_value()) {
    return {};
  }
  handles_.BeginScan();
  bool nobody_inside = true;
  if (pool_ != nullptr) {
    pool_->Shut();
    nobody_inside = pool_->AwaitReturned(Now() + kCallsComeBack);
  }
  if (trouble != Trouble::kDevice) {
    renewals_.fetch_add(1, std::memory_order_relaxed);
    Result<void, OpenError> renewed = Connect();
    if (renewed.has_value() || !MayPass(renewed.error())) return renewed;
  }
  entered_.reset();
  Result<void, OpenError> connected = Connect();
  if (connected.has_value() || !MayPass(connected.error()) || !nobody_inside) return connected;
  // A token that is not there at all is no reason to hold up others: it may never come.
  const bool was_open = pool_ != nullptr;
  const Module::Reinitialised reinitialised = access_.module()->Reinitialise(*this, was_open);
  deferred_ = reinitialised == Module::Reinitialised::kByOther;
  if (reinitialised != Module::Reinitialised::kYes) return connected;
  reinitialisations_.fetch_add(1, std::memory_order_relaxed);
  ForgetSessions();
  return Connect();
}

Result<void, OpenError> Connection::MendNow(Trouble trouble) {
  try {
    return Climb(trouble);
  } catch (const std::exception& thrown) {
    return Unexpected(OpenError{OpenFailure::kTokenError, "the token " + access_.uri().text() +
                                                              " could not be brought back (" +
                                                              thrown.what() +
                                                              "): see to the machine's memory"});
  }
}

void Connection::ForgetSessions() {
  if (entered_) entered_->session.Forget();
  entered_.reset();
  if (pool_ != nullptr) pool_->Forget();
}

Result<SecretBytes, OpenError> Connection::DeriveSecret(std::string_view text) {
  HALLMARK_ASSIGN_OR_RETURN(const CK_OBJECT_HANDLE anchor, ProveAnchor(entered_->session));
  const CkResult<MacTag> tag = entered_->session.Sign(CKM_SHA256_HMAC, anchor, AsBytes(text),
                                                      Row(KeySpec::kHmac256).mac_bytes);
  if (!tag.has_value()) return Unexpected(TokenError(access_.uri(), tag.error()));
  return SecretBytes(tag->bytes());
}

bool Connection::available() const {
  const SteadyTime::rep out_from = out_from_.load(std::memory_order_relaxed);
  return out_from == SteadyTime::max().time_since_epoch().count() ||
         Now().time_since_epoch().count() < out_from;
}

RecoveryCounts Connection::recoveries() const {
  return {.replaced_sessions = replaced_sessions_.load(std::memory_order_relaxed),
          .renewals = renewals_.load(std::memory_order_relaxed),
          .repairs = repairs_.load(std::memory_order_relaxed),
          .reinitialisations = reinitialisations_.load(std::memory_order_relaxed),
          .outages = outages_.load(std::memory_order_relaxed)};
}

Result<void, OpenError> Connection::Mend(Trouble trouble, const std::string& reason,
                                         std::uint64_t generation, SteadyTime deadline) {
  const SteadyTime give_up = std::min(deadline, Now() + kPatience);
  MutexLock lock(mu_);
  if (handles_.generation() != generation) return {};
  if (out_) return last_answer_;
  if (!reported_ || reported_->generation != generation || reported_->trouble < trouble) {
    reported_ = Report{trouble, generation, reason};
  }
  const std::uint64_t report = ++reports_;
  changed_.notify_all();
  while (!out_ && answered_reports_ < report && handles_.generation() == generation) {
    if (stopping_ || (changed_.wait_until(mu_, give_up) == std::cv_status::timeout &&
                      answered_reports_ < report)) {
      return Unexpected(OpenError{OpenFailure::kTokenError,
                                  "the token " + access_.uri().text() +
                                      " was not ready in time: it is being brought back"});
    }
  }
  if (handles_.generation() != generation) return {};
  return last_answer_;
}

std::optional<Connection::Report> Connection::NextReport() {
  MutexLock lock(mu_);
  for (;;) {
    if (stopping_) return std::nullopt;
    // Those who made it have seen, or will, that there was a scan since.
    if (reported_ && reported_->generation != handles_.generation()) reported_.reset();
    if (!turn_taken_ && (out_ ? Now() >= next_attempt_ : reported_.has_value())) break;
    if (out_ && !turn_taken_) {
      changed_.wait_until(mu_, next_attempt_);
    } else {
      changed_.wait(mu_);
    }
  }
  turn_taken_ = true;
  taken_reports_ = reports_;
  if (out_) return Report{Trouble::kDevice, handles_.generation(), {}};
  const Report report = *std::exchange(reported_, std::nullopt);
  if (report.trouble != Trouble::kSession) {
    out_from_.store((Now() + kPatience).time_since_epoch().count(), std::memory_order_relaxed);
  }
  return report;
}

void Connection::Conclude(const Report& report, Result<void, OpenError> mended) {
  constexpr SteadyTime::rep kNever = SteadyTime::max().time_since_epoch().count();
  constexpr SteadyTime::rep kAlways = SteadyTime::min().time_since_epoch().count();
  const std::string who = "token " + token_id();
  std::optional<std::pair<Severity, std::string>> news;
  if (!mended.has_value() && pool_ != nullptr) pool_->Fail();
  {
    MutexLock lock(mu_);
    const bool was_out = std::exchange(out_, !mended.has_value());
    out_from_.store(out_ ? kAlways : kNever, std::memory_order_relaxed);
    if (!out_) {
      if (was_out) {
        news.emplace(Severity::kInfo, who + " is in service again");
      } else if (report.trouble == Trouble::kDevice) {
        repairs_.fetch_add(1, std::memory_order_relaxed);
        news.emplace(Severity::kWarning, who + " failed (" + report.reason +
                                             ") and was brought back while its callers waited");
      }
    } else if (!was_out) {
      outages_.fetch_add(1, std::memory_order_relaxed);
      retry_after_ = kFirstRetry;
      news.emplace(Severity::kAlarm, who + " is out of service (" + report.reason +
                                         "): its keys are unavailable until it answers again; " +
                                         mended.error().message);
    } else {
      retry_after_ = std::min(2 * retry_after_, kLongestRetry);
      if (mended.error().message != last_answer_.error().message) {
        news.emplace(Severity::kAlarm, mended.error().message);
      }
    }
    next_attempt_ = Now() + retry_after_;
    last_answer_ = std::move(mended);
    answered_reports_ = taken_reports_;
    turn_taken_ = false;
  }
  changed_.notify_all();
  if (news) Notify(news->first, news->second);
}

void Connection::EndTurn() {
  {
    MutexLock lock(mu_);
    turn_taken_ = false;
  }
  changed_.notify_all();
}

void Connection::RunKeeper() {
  {
    MutexLock lock(mu_);
    open_ = true;
  }
  EndTurn();  // which Open took
  while (const std::optional<Report> report = NextReport()) {
    Result<void, OpenError> mended = MendNow(report->trouble);
    if (std::exchange(deferred_, false)) {
      Defer(*report);
    } else {
      Conclude(*report, std::move(mended));
    }
  }
}

void Connection::Defer(const Report& report) {
  {
    MutexLock lock(mu_);
    if (!out_) reported_ = report;
    turn_taken_ = false;
  }
  changed_.notify_all();
  static_cast<void>(access_.module()->WhileInitialised(Now() + kPatience, [] {}));
}

void Connection::StopKeeper() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
  }
  changed_.notify_all();
}

bool Connection::serving() const {
  MutexLock lock(mu_);
  return open_ && !out_ && !stopping_;
}

bool Connection::StandAside(SteadyTime give_up) {
  {
    MutexLock lock(mu_);
    while (turn_taken_) {
      if (changed_.wait_until(mu_, give_up) == std::cv_status::timeout && turn_taken_) return false;
    }
    turn_taken_ = true;
  }
  pool_->Shut();  // there is one: Open keeps the turn until it has succeeded

  if (pool_->AwaitReturned(give_up)) return true;
  StepBack(false);
  return false;
}

void Connection::StepBack(bool anew) {
  if (anew) ForgetSessions();
  {
    MutexLock lock(mu_);
    if (out_) {
      pool_->Fail();
    } else if (anew) {
      // The pool stays shut until the keeper has connected.
      reported_ = Report{Trouble::kDevice, handles_.generation(),
                         "its module was initialised again for another token"};
    } else {
      pool_->Reopen();
    }
  }
  EndTurn();
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
