#include "service/server/late_token.h"

#include <exception>
#include <utility>

namespace hallmark::service {
namespace {

// How long the end waits for a search that is inside the module.
constexpr std::chrono::seconds kStopWait{2};

Unexpected<Error> Absent(const std::string& token_id) {
  return Fail(Exception::kDependencyTimeoutException,
              "The token that holds the keys did not do what was asked; repeat the request.",
              "token " + token_id + " has not appeared yet");
}

}  // namespace

LateToken::LateToken(std::string token_id, std::chrono::milliseconds interval, Open open,
                     OnAppeared on_appeared)
    : token_id_(std::move(token_id)),
      search_(std::make_shared<Search>()),
      thread_(
          [search = search_, interval, open = std::move(open),
           on_appeared = std::move(on_appeared)] { Look(search, interval, open, on_appeared); }) {}

LateToken::~LateToken() {
  {
    const MutexLock lock(search_->mu);
    search_->stopping = true;
    search_->changed.notify_all();
    while (search_->appearing) search_->changed.wait(search_->mu);
  }
  static_cast<void>(thread_.JoinUntil(std::chrono::steady_clock::now() + kStopWait));
  std::unique_ptr<Hsm> last;  // ends outside the lock
  const MutexLock lock(search_->mu);
  last.swap(search_->hsm);
}

void LateToken::Look(const std::shared_ptr<Search>& search, std::chrono::milliseconds interval,
                     const Open& open, const OnAppeared& on_appeared) {
  while (true) {
    {
      const MutexLock lock(search->mu);
      const auto until = std::chrono::steady_clock::now() + interval;
      while (!search->stopping &&
             search->changed.wait_until(search->mu, until) != std::cv_status::timeout) {
      }
      if (search->stopping) return;
    }
    std::unique_ptr<Hsm> hsm;
    try {
      hsm = open();
    } catch (const std::exception&) {  // no memory: perhaps later
    }
    if (hsm == nullptr) continue;
    {
      const MutexLock lock(search->mu);
      if (search->stopping) return;
      search->appearing = true;
    }
    try {
      on_appeared(*hsm);
    } catch (const std::exception&) {  // it serves all the same
    }
    const MutexLock lock(search->mu);
    search->found.store(hsm.get(), std::memory_order_release);
    search->hsm = std::move(hsm);
    search->appearing = false;
    search->changed.notify_all();
    return;
  }
}

bool LateToken::available() const {
  const Hsm* const found = hsm();
  return found != nullptr && found->available();
}

void LateToken::ComputeMac(std::shared_ptr<MacTask> task) {
  if (Hsm* const found = hsm()) return found->ComputeMac(std::move(task));
  task->Finish(Unexpected(KeyUnavailable("token " + token_id_ + " has not appeared yet")));
}

Result<GeneratedKey> LateToken::GenerateKey(const CkaId& id, KeySpec spec, SteadyTime deadline) {
  if (Hsm* const found = hsm()) return found->GenerateKey(id, spec, deadline);
  return Absent(token_id_);
}

Status LateToken::DestroyKey(const CkaId& id, SteadyTime deadline) {
  if (Hsm* const found = hsm()) return found->DestroyKey(id, deadline);
  return Absent(token_id_);
}

Result<ExaminedKey> LateToken::ExamineKey(const CkaId& id, KeySpec spec, SteadyTime deadline) {
  if (Hsm* const found = hsm()) return found->ExamineKey(id, spec, deadline);
  return Absent(token_id_);
}

Result<Bytes> LateToken::GenerateRandom(std::size_t size_bytes, SteadyTime deadline) {
  if (Hsm* const found = hsm()) return found->GenerateRandom(size_bytes, deadline);
  return Absent(token_id_);
}

std::vector<Bytes> LateToken::ListKeys() const {
  const Hsm* const found = hsm();
  return found == nullptr ? std::vector<Bytes>() : found->ListKeys();
}

std::size_t LateToken::outstanding() const {
  const Hsm* const found = hsm();
  return found == nullptr ? 0 : found->outstanding();
}

std::size_t LateToken::open_sessions() const {
  const Hsm* const found = hsm();
  return found == nullptr ? 0 : found->open_sessions();
}

std::size_t LateToken::session_budget() const {
  const Hsm* const found = hsm();
  return found == nullptr ? 0 : found->session_budget();
}

RecoveryCounts LateToken::recoveries() const {
  const Hsm* const found = hsm();
  return found == nullptr ? RecoveryCounts() : found->recoveries();
}

HungCalls LateToken::hung_calls() const {
  const Hsm* const found = hsm();
  return found == nullptr ? HungCalls() : found->hung_calls();
}

std::optional<TokenHosts> LateToken::hosts() const {
  const Hsm* const found = hsm();
  return found == nullptr ? std::nullopt : found->hosts();
}

}  // namespace hallmark::service
