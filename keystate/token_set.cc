#include "keystate/token_set.h"

#include <algorithm>
#include <cstdlib>

namespace hallmark {
namespace {

// For lists of a handful.
template <class Tokens>
auto* FindIn(Tokens& tokens, std::string_view token_id) {
  const auto found = std::find_if(tokens.begin(), tokens.end(),
                                  [&](const auto& token) { return token.id() == token_id; });
  return found == tokens.end() ? nullptr : &*found;
}

}  // namespace

std::string TokenSet::Token::Describe() const {
  const char* state = drained() ? "drained" : hsm_.available() ? "in use" : "out";
  return "token " + id() + " is " + state;
}

TokenRecord TokenSet::Token::record() const {
  const MutexLock lock(mu_);
  return record_;
}

void TokenSet::Token::Publish(TokenRecord record) {
  const MutexLock lock(mu_);
  if (record.revision < record_.revision) return;
  record_ = std::move(record);
  drained_.store(record_.drained, std::memory_order_relaxed);
}

TokenSet::TokenSet(std::vector<Member> members, std::string_view default_id) {
  for (Member& member : members) tokens_.emplace_back(*member.hsm, std::move(member.record));
  default_ = Find(default_id);
  if (default_ == nullptr) std::abort();  // the configuration was checked
}

TokenSet::Token* TokenSet::Find(std::string_view token_id) { return FindIn(tokens_, token_id); }

const TokenSet::Token* TokenSet::Find(std::string_view token_id) const {
  return FindIn(tokens_, token_id);
}

TokenSet::Token* TokenSet::FindUsable() {
  if (default_->usable()) return default_;
  const auto found = std::find_if(tokens_.begin(), tokens_.end(),
                                  [](const Token& token) { return token.usable(); });
  return found == tokens_.end() ? nullptr : &*found;
}

bool TokenSet::any_usable() const {
  return std::any_of(tokens_.begin(), tokens_.end(),
                     [](const Token& token) { return token.usable(); });
}

TokenSet::Token* TokenSet::Pick(std::span<const BindingRecord> bindings,
                                std::span<const Token* const> tried) {
  Token* picked = nullptr;
  std::optional<std::size_t> fewest;
  for (const BindingRecord& binding : bindings) {
    Token* const token = Find(binding.token_id);
    if (token == nullptr || !token->usable() ||
        std::find(tried.begin(), tried.end(), token) != tried.end()) {
      continue;
    }
    // Asking takes the queue's lock: not for the many keys that have one holder.
    if (bindings.size() == 1) return token;
    const std::size_t outstanding = token->hsm().outstanding();
    if (fewest && *fewest <= outstanding) continue;
    picked = token;
    fewest = outstanding;
  }
  return picked;
}

std::string TokenSet::WhyNone(std::span<const BindingRecord> bindings) const {
  std::string why;
  for (const BindingRecord& binding : bindings) {
    if (!why.empty()) why += ", ";
    const Token* const token = Find(binding.token_id);
    why +=
        token == nullptr ? "token " + binding.token_id + " is not configured" : token->Describe();
  }
  return why.empty() ? "no token holds the key" : why;
}

TokenSet::Handover::~Handover() {
  if (set_ == nullptr) return;
  const MutexLock lock(set_->mu_);
  // Told under the lock: who waits for the last one takes the set away.
  if (--set_->handovers_ == 0) set_->handed_over_.notify_all();
}

std::optional<TokenSet::Handover> TokenSet::BeginHandover() {
  const MutexLock lock(mu_);
  if (stopping_) return std::nullopt;
  ++handovers_;
  return std::optional<Handover>(std::in_place, *this);
}

void TokenSet::StopHandovers() {
  const MutexLock lock(mu_);
  stopping_ = true;
  while (handovers_ != 0) handed_over_.wait(mu_);
}

}  // namespace hallmark
