// The tokens that hold the keys: which of a key's holders computes, and which take no calls.
#pragma once

#include "keystate/hsm.h"
#include "keystate/mutex.h"
#include "keystate/records.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark {

// The tokens of one daemon; none comes or goes while it runs.
//
// Thread-safety: every method may be called from any thread.
class TokenSet {
 public:
  class Token {
   public:
    // `hsm` outlives the set.
    Token(Hsm& hsm, TokenRecord record)
        : hsm_(hsm), drained_(record.drained), record_(std::move(record)) {}
    Token(const Token&) = delete;
    Token& operator=(const Token&) = delete;

    Hsm& hsm() const { return hsm_; }
    const std::string& id() const { return hsm_.token_id(); }
    // An operator has taken it out of use: no call at all goes to it but those that it has.
    bool drained() const { return drained_.load(std::memory_order_relaxed); }
    // Neither drained nor known to be out.
    bool usable() const { return !drained() && hsm_.available(); }
    // "token main is out", "token main is drained", "token main is in use".
    std::string Describe() const;

    TokenRecord record() const HALLMARK_EXCLUDES(mu_);
    // Makes a record current that is durable; an older one than the current changes nothing.
    void Publish(TokenRecord record) HALLMARK_EXCLUDES(mu_);

    // MACs that this token failed and that went to another.
    std::uint64_t failovers() const { return failovers_.load(std::memory_order_relaxed); }
    void CountFailover() { failovers_.fetch_add(1, std::memory_order_relaxed); }

   private:
    Hsm& hsm_;
    std::atomic<bool> drained_;
    std::atomic<std::uint64_t> failovers_{0};
    mutable Mutex mu_;
    TokenRecord record_ HALLMARK_GUARDED_BY(mu_);
  };

  struct Member {
    Hsm* hsm;
    TokenRecord record;
  };

  // `default_id` is one of the members.
  TokenSet(std::vector<Member> members, std::string_view default_id);

  // In the order in which they were given.
  std::deque<Token>& tokens() { return tokens_; }
  const std::deque<Token>& tokens() const { return tokens_; }
  // Makes keys whose maker names no token.
  Token& default_token() const { return *default_; }
  // Null: none of ours.
  Token* Find(std::string_view token_id);
  const Token* Find(std::string_view token_id) const;

  // The default token if it is usable, else any that is; null: none is.
  Token* FindUsable();
  bool any_usable() const;

  // The usable holder of one of these bindings that has the fewest calls to do; of several the
  // first. Those in `tried` are not asked again. Null: there is none.
  Token* Pick(std::span<const BindingRecord> bindings, std::span<const Token* const> tried = {});
  // Why Pick finds none, for the log.
  std::string WhyNone(std::span<const BindingRecord> bindings) const;

  // Held while a thread of one token hands a task to another token, which must not go meanwhile.
  class Handover {
   public:
    explicit Handover(TokenSet& set) : set_(&set) {}
    Handover(Handover&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
    Handover(const Handover&) = delete;
    Handover& operator=(const Handover&) = delete;
    Handover& operator=(Handover&&) = delete;
    ~Handover();

   private:
    TokenSet* set_;  // null when moved from
  };
  // Nothing once StopHandovers was called.
  std::optional<Handover> BeginHandover() HALLMARK_EXCLUDES(mu_);
  // Waits for those under way. To be called before the first token goes.
  void StopHandovers() HALLMARK_EXCLUDES(mu_);

 private:
  std::deque<Token> tokens_;  // a deque: they cannot be moved
  Token* default_ = nullptr;

  Mutex mu_;
  ConditionVariable handed_over_;
  std::size_t handovers_ HALLMARK_GUARDED_BY(mu_) = 0;
  bool stopping_ HALLMARK_GUARDED_BY(mu_) = false;
};

}  // namespace hallmark
