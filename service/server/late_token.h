// A token that was not there when the daemon started.
#pragma once

#include "keystate/hsm.h"
#include "keystate/mutex.h"
#include "pkcs11/token_thread.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::service {

// Out until the token appears, then that token: it is looked for now and then, in the background.
class LateToken final : public Hsm {
 public:
  // Null: it is not there yet. A call that does not come back is left behind when the LateToken
  // goes, so what it uses it must own.
  using Open = std::function<std::unique_ptr<Hsm>()>;
  // Called once, before anybody else sees the token. The LateToken waits for it when it goes.
  using OnAppeared = std::function<void(Hsm& hsm)>;

  LateToken(std::string token_id, std::chrono::milliseconds interval, Open open,
            OnAppeared on_appeared);
  ~LateToken() override;

  const std::string& token_id() const override { return token_id_; }
  bool available() const override;
  void ComputeMac(std::shared_ptr<MacTask> task) override;
  Result<GeneratedKey> GenerateKey(const CkaId& id, KeySpec spec, SteadyTime deadline) override;
  Status DestroyKey(const CkaId& id, SteadyTime deadline) override;
  Result<ExaminedKey> ExamineKey(const CkaId& id, KeySpec spec, SteadyTime deadline) override;
  Result<Bytes> GenerateRandom(std::size_t size_bytes, SteadyTime deadline) override;
  std::vector<Bytes> ListKeys() const override;
  std::size_t outstanding() const override;
  std::size_t open_sessions() const override;
  std::size_t session_budget() const override;
  RecoveryCounts recoveries() const override;
  HungCalls hung_calls() const override;
  std::optional<TokenHosts> hosts() const override;

 private:
  // Owned by the thread too, which may be left behind.
  struct Search {
    std::atomic<Hsm*> found{nullptr};
    Mutex mu;
    ConditionVariable changed;
    std::unique_ptr<Hsm> hsm HALLMARK_GUARDED_BY(mu);
    bool appearing HALLMARK_GUARDED_BY(mu) = false;
    bool stopping HALLMARK_GUARDED_BY(mu) = false;
  };

  static void Look(const std::shared_ptr<Search>& search, std::chrono::milliseconds interval,
                   const Open& open, const OnAppeared& on_appeared);
  // Null: it has not appeared yet.
  Hsm* hsm() const { return search_->found.load(std::memory_order_acquire); }

  const std::string token_id_;
  const std::shared_ptr<Search> search_;
  pkcs11::TokenThread thread_;
};

}  // namespace hallmark::service
