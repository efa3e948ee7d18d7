#include "pkcs11/token_hsm.h"

#include "pkcs11/anchor_sealer.h"
#include "pkcs11/connection.h"
#include "pkcs11/host/hosted_hsm.h"
#include "pkcs11/key_control.h"
#include "pkcs11/local_token.h"
#include "pkcs11/mac_queue.h"
#include "pkcs11/mac_signer.h"
#include "pkcs11/token_key.h"
#include "pkcs11/token_thread.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::pkcs11 {
namespace {

constexpr std::string_view kAnchorLabel = "hallmark anchor";
// How long the destructor waits for a recovery, and for keys being made or destroyed.
constexpr std::chrono::seconds kStopWait{2};

MacQueueOptions QueueOptions(const Connection& connection) {
  const TokenOptions& options = connection.options();
  return {.token_id = options.token_id,
          .workers = connection.workers(),
          .max_queued = options.max_queued,
          .hung_call_limit = options.hung_call_limit,
          .max_hung_calls = options.max_hung_calls};
}

HungCallEvents TellOfHungCalls(const std::shared_ptr<Connection>& connection,
                               std::function<void()> too_many) {
  const std::string allowed = std::to_string(connection->options().max_hung_calls);
  return {[connection, allowed](std::size_t now) {
            connection->Notify(
                Severity::kWarning,
                "token " + connection->token_id() +
                    ": a call does not come back, so another thread takes its place; " +
                    std::to_string(now) + " of at most " + allowed + " are out");
          },
          [connection, allowed, too_many = std::move(too_many)] {
            connection->Notify(Severity::kAlarm,
                               "token " + connection->token_id() + ": more than " + allowed +
                                   " calls do not come back: see to the token and its driver");
            if (too_many) too_many();
          }};
}

class TokenHsm final : public Hsm {
 public:
  TokenHsm(const std::shared_ptr<Connection>& connection, std::function<void()> too_many_hung)
      : connection_(connection),
        control_(connection),
        queue_(
            QueueOptions(*connection),
            [connection] { return std::make_unique<MacSigner>(connection); },
            TellOfHungCalls(connection, std::move(too_many_hung))),
        keeper_([connection] { connection->RunKeeper(); }) {}

  ~TokenHsm() override {
    connection_->StopKeeper();
    const SteadyTime give_up = std::chrono::steady_clock::now() + kStopWait;
    static_cast<void>(keeper_.JoinUntil(give_up));
    control_.WaitUntilIdle(give_up);
    connection_->Silence();
  }

  const std::string& token_id() const override { return connection_->token_id(); }
  bool available() const override { return connection_->available() && !queue_.stuck(); }

  void ComputeMac(std::shared_ptr<MacTask> task) override {
    if (!connection_->available()) {
      task->Finish(Unexpected(MacError("the token is out of service", token_id())));
      return;
    }
    queue_.Submit(std::move(task));
  }

  Result<GeneratedKey> GenerateKey(const CkaId& id, KeySpec spec, SteadyTime deadline) override {
    return control_.Generate(id, spec, deadline);
  }
  Status DestroyKey(const CkaId& id, SteadyTime deadline) override {
    return control_.Destroy(id, deadline);
  }
  Result<ExaminedKey> ExamineKey(const CkaId& id, KeySpec spec, SteadyTime deadline) override {
    return control_.Examine(id, spec, deadline);
  }
  Result<Bytes> GenerateRandom(std::size_t size_bytes, SteadyTime deadline) override {
    return control_.Random(size_bytes, deadline);
  }
  std::vector<Bytes> ListKeys() const override {
    return connection_->handles().List(connection_->anchor_id());
  }
  std::size_t outstanding() const override { return queue_.outstanding(); }
  std::size_t open_sessions() const override { return connection_->pool().open_sessions(); }
  std::size_t session_budget() const override { return connection_->pool().budget(); }
  RecoveryCounts recoveries() const override { return connection_->recoveries(); }
  HungCalls hung_calls() const override { return queue_.hung_calls(); }

 private:
  std::shared_ptr<Connection> connection_;
  KeyControl control_;
  MacQueue queue_;
  TokenThread keeper_;
};

}  // namespace

Result<LocalToken, OpenError> OpenLocal(const TokenOptions& options, const TokenRecord& anchor,
                                        RandomSource& random, EventSink events,
                                        std::function<void()> too_many_hung) {
  HALLMARK_ASSIGN_OR_RETURN(const std::shared_ptr<Connection> connection,
                            Connection::Open(options, anchor, random, std::move(events)));
  HALLMARK_ASSIGN_OR_RETURN(SecretBytes sealing_key, connection->DeriveSecret(kSealingKeyText));
  return LocalToken{std::make_unique<TokenHsm>(connection, std::move(too_many_hung)), connection,
                    std::move(sealing_key)};
}

Result<OpenToken, OpenError> Open(const TokenOptions& options, const TokenRecord& anchor,
                                  RandomSource& random, EventSink events,
                                  std::function<void()> too_many_hung) {
  if (options.hosts > 0) return host::OpenHosted(options, anchor, std::move(events));
  HALLMARK_ASSIGN_OR_RETURN(LocalToken token, OpenLocal(options, anchor, random, std::move(events),
                                                        std::move(too_many_hung)));
  return OpenToken{std::move(token.hsm), MakeAnchorSealer(std::move(token.sealing_key))};
}

Result<TokenRecord, OpenError> InitToken(const TokenOptions& options, RandomSource& random) {
  const auto failed = [&options](const std::string& reason) {
    return Unexpected(OpenError{OpenFailure::kTokenError, "no anchor key could be made on " +
                                                              options.uri + " (" + reason +
                                                              "): check what the token can do"});
  };
  HALLMARK_ASSIGN_OR_RETURN(const TokenAccess access, TokenAccess::Prepare(options, random));
  HALLMARK_ASSIGN_OR_RETURN(EnteredToken entered, access.Enter(std::nullopt));
  const Mechanisms mechanisms = Mechanisms::Ask(access.module()->functions(), entered.token.slot);
  const Result<CK_MECHANISM_TYPE> mechanism = mechanisms.For(KeySpec::kHmac256, options.token_id);
  if (!mechanism.has_value()) return failed(mechanism.error().message);

  TokenRecord record;
  record.token_id = options.token_id;
  const CK_TOKEN_INFO& info = entered.token.info;
  record.label = Unpadded(info.label, sizeof info.label);
  record.serial = Unpadded(info.serialNumber, sizeof info.serialNumber);
  record.manufacturer = Unpadded(info.manufacturerID, sizeof info.manufacturerID);
  random.Fill(record.anchor_cka_id);
  const Result<MadeKey, KeyRefusal> anchor =
      MakeKey(entered.session, *mechanism,
              {record.anchor_cka_id, kAnchorLabel, KeySpec::kHmac256, options.key_copies});
  if (!anchor.has_value()) return failed(anchor.error().reason);
  record.anchor_check_value = anchor->key.check_value;
  if (const Result<void, std::string> synced = SyncFileSystem(options.sync_path);
      !synced.has_value()) {
    return failed(synced.error());
  }
  return record;
}

}  // namespace hallmark::pkcs11
