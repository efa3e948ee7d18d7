// A slow token under ten times its rate: it stays busy, whoever is taken is served in time, whoever
// is not is told at once, and a quiet caller gets its half. HALLMARK_LONG=1 takes a minute for it.
#include "pkcs11/cryptoki.h"
#include "tests/pkcs11/opened_token.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;

constexpr milliseconds kCall{7};
constexpr milliseconds kDeadline{1'000};

double Milliseconds(SteadyTime::duration time) {
  return duration<double, std::milli>(time).count();
}

// What became of one call.
struct Answer {
  SteadyTime submitted{};
  SteadyTime answered{};
  enum class Kind { kNone, kDone, kThrottled, kLate } kind = Kind::kNone;

  double took_ms() const { return Milliseconds(answered - submitted); }
};

class LoadTask final : public MacTask {
 public:
  LoadTask(const MacKey& key, std::uint64_t principal, Answer& answer, std::atomic<int>& open)
      : key_(key), principal_(principal), answer_(answer), open_(open) {}

  ByteView message() const override { return AsBytes("a message of some thirty-two byte"); }
  SteadyTime deadline() const override { return answer_.submitted + kDeadline; }
  bool abandoned() const override { return false; }
  std::uint64_t principal() const override { return principal_; }
  Result<MacKey> Admit() override { return key_; }
  void Finish(Result<MacTag> tag) override {
    answer_.answered = std::chrono::steady_clock::now();
    answer_.kind = tag.has_value() ? Answer::Kind::kDone
                   : tag.error().exception == Exception::kThrottlingException
                       ? Answer::Kind::kThrottled
                       : Answer::Kind::kLate;
    --open_;
  }

 private:
  const MacKey key_;
  const std::uint64_t principal_;
  Answer& answer_;
  std::atomic<int>& open_;
};

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(static_cast<double>(values.size() - 1) * share)];
}

class OverloadTest : public OpenedTokenTest {
 protected:
  // MACs per second of a loop that does nothing else, on the token as the service sees it.
  double RawRate(const MacKey& key, milliseconds time) {
    CK_FUNCTION_LIST* wrapped = nullptr;
    EXPECT_EQ(C_GetFunctionList(&wrapped), CKR_OK);
    const TestSession session(token_);
    const auto handles = session.Find(key.cka_id);
    EXPECT_EQ(handles.size(), 1u);
    CK_MECHANISM mechanism{CKM_SHA256_HMAC, nullptr, 0};
    std::array<CK_BYTE, 32> message{};
    std::array<CK_BYTE, 64> mac{};
    const SteadyTime start = std::chrono::steady_clock::now();
    SteadyTime now = start;
    int calls = 0;
    for (; now - start < time; now = std::chrono::steady_clock::now(), ++calls) {
      CK_ULONG size = mac.size();
      EXPECT_EQ(wrapped->C_SignInit(session.handle(), &mechanism, handles.front()), CKR_OK);
      EXPECT_EQ(
          wrapped->C_Sign(session.handle(), message.data(), message.size(), mac.data(), &size),
          CKR_OK);
    }
    return calls / duration<double>(now - start).count();
  }

  // Brings calls at an even rate, whatever becomes of them.
  std::vector<Answer> Offer(const MacKey& key, std::uint64_t principal, double per_second,
                            SteadyTime start, milliseconds time) {
    std::vector<Answer> answers(
        static_cast<std::size_t>(per_second * duration<double>(time).count()));
    std::atomic<int> open{0};
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const duration<double> due(static_cast<double>(i) / per_second);
      std::this_thread::sleep_until(start + std::chrono::duration_cast<SteadyTime::duration>(due));
      answers[i].submitted = std::chrono::steady_clock::now();
      ++open;
      hsm_->ComputeMac(std::make_shared<LoadTask>(key, principal, answers[i], open));
    }
    EXPECT_TRUE(WaitUntil([&] { return open == 0; }));
    return answers;
  }
};

TEST_F(OverloadTest, ASlowTokenUnderTenTimesItsRateIsSharedAndBusy) {
  const bool long_run = std::getenv("HALLMARK_LONG") != nullptr;
  const milliseconds time(long_run ? 60'000 : 5'000);
  const milliseconds raw_time(long_run ? 10'000 : 1'000);
  Reopen([](TokenOptions& options) { options.sessions = 4; });
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .times = 0, .delay = kCall, .serial = true});

  const double raw_before = RawRate(key, raw_time);
  const double offered = 10 * raw_before;
  std::array<std::vector<Answer>, 2> answers;
  const SteadyTime start = In(milliseconds(10));
  {
    std::jthread noisy([&] { answers[0] = Offer(key, 1, offered * 10 / 11, start, time); });
    std::jthread quiet([&] { answers[1] = Offer(key, 2, offered / 11, start, time); });
  }
  const double raw = (raw_before + RawRate(key, raw_time)) / 2;
  FaultList::Disarm();

  std::vector<double> admitted_ms;
  std::vector<double> refused_ms;
  std::array<int, 2> done{};
  int late = 0;
  int unanswered = 0;
  for (std::size_t principal = 0; principal < answers.size(); ++principal) {
    for (const Answer& answer : answers.at(principal)) {
      if (answer.kind == Answer::Kind::kNone) ++unanswered;
      (answer.kind == Answer::Kind::kThrottled ? refused_ms : admitted_ms)
          .push_back(answer.took_ms());
      if (answer.kind == Answer::Kind::kLate) ++late;
      if (answer.kind == Answer::Kind::kDone && answer.answered < start + time) {
        ++done.at(principal);
      }
    }
  }
  const double delivered = (done[0] + done[1]) / duration<double>(time).count() / raw;
  const double p99_ms = Percentile(admitted_ms, 0.99);
  const double refused_p99_ms = Percentile(refused_ms, 0.99);
  const double half = (done[0] + done[1]) / 2.0;
  const auto slow_refusals = std::count_if(refused_ms.begin(), refused_ms.end(),
                                           [](double took_ms) { return took_ms > 20; });
  std::printf(
      "raw %.1f/s, offered %.1f/s, delivered %.3f of raw\n"
      "%zu admitted, p50 %.1f ms, p99 %.1f ms (deadline %lld ms), %d late\n"
      "%zu refused, p50 %.3f ms, p99 %.3f ms, %td after more than 20 ms\n"
      "the noisy one %d, the quiet one %d\n",
      raw, offered, delivered, admitted_ms.size(), Percentile(admitted_ms, 0.5), p99_ms,
      static_cast<long long>(kDeadline.count()), late, refused_ms.size(),
      Percentile(refused_ms, 0.5), refused_p99_ms, slow_refusals, done[0], done[1]);

  EXPECT_EQ(unanswered, 0);
  EXPECT_GT(refused_ms.size(), admitted_ms.size());
  EXPECT_GE(delivered, long_run ? 0.95 : 0.85);
  EXPECT_LT(p99_ms, Milliseconds(kDeadline) + (long_run ? 0 : 50));
  EXPECT_LE(refused_p99_ms, long_run ? 20 : 100);
  for (const int one : done) EXPECT_NEAR(one, half, half * (long_run ? 0.2 : 0.3));
}

}  // namespace
}  // namespace hallmark::pkcs11
