#include "pkcs11/host/hosted_hsm.h"

#include "pkcs11/anchor_sealer.h"
#include "pkcs11/ckr.h"
#include "pkcs11/host/host_pool.h"
#include "pkcs11/mac_queue.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace hallmark::pkcs11::host {
namespace {

using std::chrono::milliseconds;

// How long a call that was interrupted waits for another host, within its deadline.
constexpr std::chrono::seconds kPatience{2};
// Hang limits that one MAC may take, if each of the two hosts it is sent to hangs; and a margin.
constexpr int kLongestComputation = 3;
// How long ListKeys waits for a host, before it tells what it knows.
constexpr std::chrono::seconds kListPatience{5};

SteadyTime Now() { return std::chrono::steady_clock::now(); }

// Asks one host, and another if that one is lost meanwhile.
class HostedSigner final : public MacComputer {
 public:
  explicit HostedSigner(std::shared_ptr<HostPool> pool) : pool_(std::move(pool)) {}

  Result<MacTag> Compute(const MacTask& task, SteadyTime deadline,
                         const Admission& admit) override {
    std::shared_ptr<Link> link = pool_->Pick();
    for (bool repeated = false; link != nullptr; repeated = true) {
      const Result<MacKey> key = admit();
      if (!key.has_value()) return Unexpected(key.error());
      const Answer answer = Ask(*link, *key, task.message());
      std::optional<Result<MacTag>> tag = Read(answer, *link, key->spec);
      // Not where the token as such is out for this host: it may answer another.
      const bool final = tag && (tag->has_value() || link->available());
      if (final || (tag && repeated)) return *std::move(tag);
      if (repeated) break;
      // HMAC is idempotent, so repeating is safe.
      std::shared_ptr<Link> next = tag ? pool_->Pick(link.get()) : nullptr;
      if (tag && next == nullptr) return *std::move(tag);
      if (!tag) next = pool_->Await(std::min(deadline, Now() + kPatience), link.get());
      link = std::move(next);
    }
    return Unexpected(MacError("no token host serves it", pool_->options().token_id));
  }

  void Idle() override {}
  void Retire() override {}

 private:
  Answer Ask(Link& link, const MacKey& key, ByteView message) const {
    const SteadyTime overdue = Now() + pool_->options().host_hang_limit;
    auto answer = link.Ask(FrameType::kMac,
                           Encode(MacRequest{key, Bytes(message.begin(), message.end())}), overdue);
    return answer ? answer->get() : std::nullopt;
  }

  // Nothing: the host is lost.
  static std::optional<Result<MacTag>> Read(const Answer& answer, Link& link, KeySpec spec) {
    if (!answer) return std::nullopt;
    if (answer->type == FrameType::kTag) {
      const auto tag = Decode<Octets>(answer->payload);
      if (tag && tag->bytes.size() == Row(spec).mac_bytes)
        return Result<MacTag>(MacTag(tag->bytes));
    } else if (answer->type == FrameType::kError) {
      std::optional<Error> error = DecodeError(answer->payload);
      if (error) return Result<MacTag>(Unexpected(*std::move(error)));
    }
    link.Kill("what it sent makes no sense");
    return std::nullopt;
  }

  const std::shared_ptr<HostPool> pool_;
};

class HostedHsm final : public Hsm {
 public:
  explicit HostedHsm(const std::shared_ptr<HostPool>& pool)
      : pool_(pool),
        queue_(
            std::in_place,
            MacQueueOptions{.token_id = pool->options().token_id,
                            .workers = pool->options().hosts * pool->workers_per_host(),
                            .max_queued = pool->options().max_queued,
                            .hung_call_limit =
                                kLongestComputation * pool->options().host_hang_limit + kPatience,
                            .waits_elsewhere = true},
            [pool] { return std::make_unique<HostedSigner>(pool); },
            // A host that hangs is replaced, and told of, by the pool.
            HungCallEvents{[](std::size_t /*now*/) {}, [] {}}) {}

  ~HostedHsm() override {
    queue_.reset();
    pool_->Stop();
  }

  const std::string& token_id() const override { return pool_->options().token_id; }
  bool available() const override { return pool_->available() && !queue_->stuck(); }

  void ComputeMac(std::shared_ptr<MacTask> task) override {
    if (!pool_->available()) {
      task->Finish(Unexpected(MacError("no token host serves it", token_id())));
      return;
    }
    queue_->Submit(std::move(task));
  }

  Result<GeneratedKey> GenerateKey(const CkaId& id, KeySpec spec, SteadyTime deadline) override {
    // Not repeated: the key may have been made.
    HALLMARK_ASSIGN_OR_RETURN(const Generated made,
                              (Request<Generated>(FrameType::kGenerate, FrameType::kGenerated,
                                                  {id, spec}, deadline, id)));
    return made.key;
  }

  Result<ExaminedKey> ExamineKey(const CkaId& id, KeySpec spec, SteadyTime deadline) override {
    HALLMARK_ASSIGN_OR_RETURN(
        const Examined examined,
        (Request<Examined>(FrameType::kExamine, FrameType::kExamined, {id, spec}, deadline, id)));
    return examined.key;
  }

  Status DestroyKey(const CkaId& id, SteadyTime deadline) override {
    HALLMARK_RETURN_IF_ERROR(
        (Request<Done>(FrameType::kDestroy, FrameType::kDestroyed, {id}, deadline, id)));
    return {};
  }

  Result<Bytes> GenerateRandom(std::size_t size_bytes, SteadyTime deadline) override {
    ControlRequest request;
    request.size_bytes = size_bytes;
    HALLMARK_ASSIGN_OR_RETURN(Octets random,
                              (Request<Octets>(FrameType::kRandom, FrameType::kRandomBytes, request,
                                               deadline, std::nullopt)));
    if (random.bytes.size() != size_bytes) {
      return Unexpected(ControlError("it gave another number of random bytes", token_id()));
    }
    return std::move(random.bytes);
  }

  std::vector<Bytes> ListKeys() const override {
    const Result<Keys> keys =
        Request<Keys>(FrameType::kList, FrameType::kKeys, {}, Now() + kListPatience, std::nullopt);
    if (!keys.has_value()) return pool_->RememberedKeys();
    pool_->Remember(keys->ids);
    return keys->ids;
  }

  std::size_t outstanding() const override { return queue_->outstanding(); }
  std::size_t open_sessions() const override { return pool_->open_sessions(); }
  std::size_t session_budget() const override { return pool_->session_budget(); }
  RecoveryCounts recoveries() const override { return pool_->recoveries(); }
  HungCalls hung_calls() const override { return queue_->hung_calls(); }
  std::optional<TokenHosts> hosts() const override { return pool_->counts(); }

 private:
  // Asks a host, and once more, if that does no harm, another.
  template <class Response>
  Result<Response> Request(FrameType type, FrameType expected, ControlRequest request,
                           SteadyTime deadline, const std::optional<CkaId>& about) const {
    for (bool repeated = false;; repeated = true) {
      const std::shared_ptr<Link> link = about ? pool_->PickFor(*about) : pool_->Pick();
      const SteadyTime now = Now();
      if (link == nullptr || now >= deadline) {
        return Unexpected(ControlError("no token host serves it", token_id()));
      }
      // We give up before the host does, so that one that hangs is known by its silence.
      const auto left = std::chrono::ceil<milliseconds>(deadline - now);
      const milliseconds limit = pool_->options().host_hang_limit;
      request.time_ms = static_cast<std::uint64_t>((left + 2 * limit).count());
      auto asked = link->Ask(type, Encode(request), deadline + limit, about);
      if (asked && asked->wait_until(deadline) == std::future_status::timeout) {
        return Unexpected(ControlError("it did not answer before the deadline", token_id()));
      }
      const Answer answer = asked ? asked->get() : std::nullopt;
      if (answer) return Read<Response>(*answer, expected, *link);
      // Lost, perhaps in the middle of it.
      const bool repeatable = !asked || type != FrameType::kGenerate;
      if (repeated || !repeatable) {
        return Unexpected(ControlError("its host ended meanwhile", token_id()));
      }
      static_cast<void>(pool_->Await(std::min(deadline, now + kPatience), link.get()));
    }
  }

  template <class Response>
  Result<Response> Read(const Frame& answer, FrameType expected, Link& link) const {
    if (answer.type == expected) {
      if (std::optional<Response> response = Decode<Response>(answer.payload)) {
        return *std::move(response);
      }
    } else if (answer.type == FrameType::kError) {
      if (std::optional<Error> error = DecodeError(answer.payload)) {
        return Unexpected(*std::move(error));
      }
    }
    link.Kill("what it sent makes no sense");
    return Unexpected(ControlError("its host sent nonsense", token_id()));
  }

  const std::shared_ptr<HostPool> pool_;
  std::optional<MacQueue> queue_;
};

}  // namespace

Result<OpenToken, OpenError> OpenHosted(const TokenOptions& options, const TokenRecord& anchor,
                                        EventSink events) {
  if (!options.host_user.empty() && ::geteuid() != 0) {
    return Unexpected(OpenError{OpenFailure::kConfiguration,
                                "token " + options.token_id +
                                    ": only root may run token hosts as another user: start "
                                    "hallmarkd as root, or leave host_user out"});
  }
  HALLMARK_ASSIGN_OR_RETURN(const std::shared_ptr<HostPool> pool,
                            HostPool::Open(options, anchor, std::move(events)));
  SecretBytes sealing_key = pool->TakeSealingKey();
  auto hsm = std::make_unique<HostedHsm>(pool);
  static_cast<void>(hsm->ListKeys());  // so that there is an answer whatever happens to the hosts
  return OpenToken{std::move(hsm), MakeAnchorSealer(std::move(sealing_key))};
}

}  // namespace hallmark::pkcs11::host
